/** Map entries for the host: opt-outs, Maglev sources, and backends that call their own service. */
import { isIPv4 } from "node:net";
import { maps4, maps6, optOutCgroups, optOutNamespaces, sources } from "../../../programs/index.ts";
import type { Infer, MapDefinition } from "../../types/index.ts";
import {
  familyOf,
  hasFlag,
  hashOf,
  isLoopback,
  isReachable,
  ServiceFlag,
  type AddressFamily,
  type HostState,
  type NetworkNamespace,
  type ServiceDefinition,
} from "../model/index.ts";

/** Exactly the entries that a map should hold. */
export interface MapEntries<D extends MapDefinition = MapDefinition> {
  readonly definition: D;
  readonly entries: readonly (readonly [key: Infer<D["key"]>, value: Infer<D["value"]>])[];
}

const skipMaps = { ipv4: maps4.skip, ipv6: maps6.skip } as const satisfies Record<AddressFamily, unknown>;

/** The entries of every map about the host. Maps that no program reads are to be skipped. */
export function hostEntries(host: HostState, services: readonly ServiceDefinition[]): MapEntries[] {
  const others = host.namespaces.filter(({ cookie }) => cookie !== host.hostNetnsCookie);
  return [
    entriesOf(
      optOutNamespaces,
      host.optOutNamespaces.map((cookie) => [cookie, 1]),
    ),
    entriesOf(
      optOutCgroups,
      host.optOutCgroups.map(({ id }) => [id, 1]),
    ),
    entriesOf(sources, sourceSeeds(host.namespaces)),
    ...(["ipv4", "ipv6"] as const).map((family) => entriesOf(skipMaps[family], skipEntries(family, services, others))),
  ];
}

/** Forgets the map's type, so that one list holds all. The entries stay beside their definition. */
function entriesOf<D extends MapDefinition>(definition: D, entries: MapEntries<D>["entries"]): MapEntries {
  return { definition, entries } as unknown as MapEntries;
}

/**
 * The seed by which each network namespace selects in Maglev tables: the hash
 * of its first IPv4 address, or else of its first IPv6 address. Addresses that
 * other hosts can have too (loopback, link-local) do not count. A namespace
 * without an address has no seed.
 */
export function sourceSeeds(namespaces: readonly NetworkNamespace[]): (readonly [cookie: bigint, seed: number])[] {
  return namespaces.flatMap(({ cookie, addresses }) => {
    const own = addresses.filter((address) => !isLoopback(address) && !address.startsWith("169.254."));
    const source = own.find((address) => isIPv4(address)) ?? own[0];
    return source === undefined ? [] : [[cookie, hashOf(source)] as const];
  });
}

/** The skip map of a family: service addresses that pass through in the namespaces of the service's backends. */
export function skipEntries(
  family: AddressFamily,
  services: readonly ServiceDefinition[],
  namespaces: readonly NetworkNamespace[],
): MapEntries<(typeof skipMaps)["ipv4"]>["entries"] {
  const owners = new Map<string, bigint[]>();
  for (const { cookie, addresses } of namespaces) {
    for (const address of addresses) {
      if (isLoopback(address)) continue;
      const cookies = owners.get(address);
      if (cookies === undefined) owners.set(address, [cookie]);
      else cookies.push(cookie);
    }
  }
  return services
    .filter((service) => hasFlag(service, ServiceFlag.SKIP_SELF))
    .flatMap(({ frontEnds, backends }) => {
      const cookies = new Set(backends.flatMap(({ address }) => owners.get(address) ?? []));
      const called = frontEnds.filter((frontEnd) => isReachable(frontEnd) && familyOf(frontEnd.address) === family);
      return [...cookies].flatMap((netnsCookie) =>
        called.map(({ address, port }) => [{ netnsCookie, address, port }, 1] as const),
      );
    });
}
