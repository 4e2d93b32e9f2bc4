/** The load balancer of programs/, and programs that do nothing. */
import { cgroup, PROCEED, type Collection, type Program } from "tsbpf";
import {
  BackendState,
  filterWords,
  generation,
  loadBalancerPrograms,
  backends,
  services,
  serviceFilter,
  slots,
  defaultOptions,
  type DataPathOptions,
} from "../../programs/index.ts";
import { BACKENDS, type Service } from "./services.ts";

/** Map sizes beyond the defaults. */
export function balancerSizes(count: number): Readonly<Record<string, number>> {
  const room = Math.max(262_144, Math.ceil(count * BACKENDS * 1.1));
  return { [slots.name]: room, [backends.name]: room };
}

export function balancerPrograms(options: Partial<DataPathOptions> = {}): Program[] {
  return loadBalancerPrograms({ ...defaultOptions, ...options }).map((source) => source.compile());
}

export function writeToBalancer(collection: Collection, added: readonly Service[]): void {
  const state = BackendState.ACTIVE;
  collection
    .map(slots)
    .setMany(
      added.flatMap(({ backends: all, firstBackend }) =>
        all.map((backend, i) => [firstBackend + i, { ...backend, state }] as const),
      ),
    );
  collection
    .map(backends)
    .setMany(
      added.flatMap(({ backends: all, index }) =>
        all.map((backend) => [{ ...backend, revNatIndex: index }, state] as const),
      ),
    );
  collection.map(serviceFilter).setMany([...filterWords(added)]);
  collection.map(services).setMany(
    added.map(({ address, port, protocol, index, firstBackend, backends: all }) => {
      const key = { address, port, protocol, scope: 0 };
      return [
        key,
        { key, revNatIndex: index, flags: 0, affinityTimeout: 0, range: { base: firstBackend, count: all.length } },
      ] as const;
    }),
  );
  const number = collection.map(generation);
  number.set(0, number.get(0)! + 1);
}

/** Programs that do nothing: their cost is mainly the kernel's time measurement. */
export function floorPrograms(): Program[] {
  return [
    cgroup.connect4("connect4", () => PROCEED),
    cgroup.sendmsg4("sendmsg4", () => PROCEED),
    cgroup.recvmsg4("recvmsg4", () => PROCEED),
    cgroup.getpeername4("getpeername4", () => PROCEED),
    cgroup.sockRelease("sock_release", () => PROCEED),
  ].map((source) => source.compile());
}
