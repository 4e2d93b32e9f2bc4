/** The same job in C (c/balancer.c), and declarations of its maps, to fill them. */
import { be16, hash, ipv4, lruHash, MapFlag, struct, u16, u32, u64, u8, type Program, type Collection } from "tsbpf";
import { compileC } from "../compiler/clang.ts";
import { BACKENDS, type Service } from "./services.ts";

const ServiceKey = struct("service_key", { address: ipv4, port: be16, slot: u16, protocol: u8, scope: u8, pad: u16 });
const ServiceValue = struct("service", { backend: u32, count: u16, revNatIndex: u16, flags: u8, flags2: u8, pad: u16 });
const BackendValue = struct("backend", {
  address: ipv4,
  port: be16,
  protocol: u8,
  state: u8,
  cluster: u16,
  zone: u8,
  pad: u8,
});
const ReverseKey = struct("reverse_key", { cookie: u64, address: ipv4, port: be16, pad: u16 });
const ReverseEntry = struct("reverse_entry", { address: ipv4, port: be16, revNatIndex: u16 });

const services = hash("peer_services", {
  key: ServiceKey,
  value: ServiceValue,
  maxEntries: 65_536,
  flags: MapFlag.NO_PREALLOC,
});
const backends = hash("peer_backends", {
  key: u32,
  value: BackendValue,
  maxEntries: 65_536,
  flags: MapFlag.NO_PREALLOC,
});
export const peerReverse = lruHash("peer_reverse", { key: ReverseKey, value: ReverseEntry, maxEntries: 262_144 });
const declared = [services, backends, peerReverse];

/** Map sizes beyond the defaults. */
export function peerSizes(count: number): Readonly<Record<string, number>> {
  const sizeFor = (entries: number): number => Math.max(65_536, Math.ceil(entries * 1.1));
  return { [services.name]: sizeFor(count * (1 + BACKENDS)), [backends.name]: sizeFor(count * BACKENDS) };
}

/** Clang's programs with these declarations of their maps. */
export function peerPrograms(): Program[] {
  return compileC(new URL("c/balancer.c", import.meta.url)).programs.map((program) => ({
    ...program,
    maps: program.maps.map(({ name }) => declared.find((map) => map.name === name)!),
  }));
}

export function writeToPeer(collection: Collection, added: readonly Service[]): void {
  const none = { backend: 0, count: 0, revNatIndex: 0, flags: 0, flags2: 0, pad: 0 };
  const kind = { protocol: 0, state: 0, cluster: 0, zone: 0, pad: 0 };
  collection
    .map(backends)
    .setMany(
      added.flatMap(({ backends: all, firstBackend }) =>
        all.map((backend, i) => [firstBackend + i + 1, { ...backend, ...kind }] as const),
      ),
    );
  collection.map(services).setMany(
    added.flatMap(({ address, port, protocol, firstBackend, backends: all, index }) => {
      const key = { address, port, protocol, scope: 0, pad: 0 };
      return [
        [
          { ...key, slot: 0 },
          { ...none, count: all.length, revNatIndex: index },
        ] as const,
        ...all.map(
          (_, i) =>
            [
              { ...key, slot: i + 1 },
              { ...none, backend: firstBackend + i + 1 },
            ] as const,
        ),
      ];
    }),
  );
}
