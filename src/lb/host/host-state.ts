/** What programs need to know of the host beside its services, as it is at the moment: its network namespaces, and who is left alone. */
import { isIPv4 } from "node:net";
import { optOutCgroups, optOutNamespaces, sources } from "../../../programs/maps.ts";
import type { MapDefinition } from "../../types/index.ts";
import type { Config } from "../sources/file/index.ts";
import type { MapEntries } from "../plan/index.ts";
import { isLoopback } from "../model/front-ends.ts";
import { hashOf } from "../model/hash.ts";
import { familyMaps } from "../apply/maps.ts";
import { NamespaceReader, type NetworkNamespace } from "./namespaces.ts";
import { findOptOut } from "./opt-out.ts";
import {
  anyHasFlag,
  familyOf,
  hasFlag,
  isReachable,
  ServiceFlag,
  type AddressFamily,
  type ServiceDefinition,
} from "../model/service.ts";

export interface Surroundings {
  /** Number of the host's network namespace; absent where nothing needs it. */
  readonly hostNetnsCookie: bigint | undefined;
  readonly optOutNamespaces: boolean;
  /** How far below the root of the hierarchy the cgroups lie that are left alone: each depth once. */
  readonly optOutCgroupLevels: readonly number[];
  /** What maps other than the services' are to hold; of those that no program reads, nothing is asked. */
  readonly entries: readonly MapEntries[];
}

/**
 * Reads as much of the host as the configuration makes use of.
 * @param hostNetworkNamespace a file that stands for the namespace which counts as the host's; absent: that of this process
 * @throws {LoadBalancerError} where something that the configuration names is not there
 * @throws {BpfError} where network namespaces may not be entered
 */
export function readSurroundings(
  { optOut: left, options }: Pick<Config, "optOut" | "options">,
  services: readonly ServiceDefinition[],
  hostNetworkNamespace?: string,
): Surroundings {
  using reader = new NamespaceReader();
  const uses = (flag: number) => anyHasFlag(services, flag);
  const optOut = findOptOut(left, reader);
  const needsHost =
    options.hostNamespaceOnly || [ServiceFlag.HOST_NAMESPACE, ServiceFlag.NODE_PORT, ServiceFlag.SKIP_SELF].some(uses);
  const hostNetnsCookie = needsHost ? reader.cookie(hostNetworkNamespace) : undefined;
  const namespaces = uses(ServiceFlag.MAGLEV) || uses(ServiceFlag.SKIP_SELF) ? reader.readAll() : [];
  const others = namespaces.filter(({ cookie }) => cookie !== hostNetnsCookie);
  return {
    hostNetnsCookie,
    optOutNamespaces: optOut.namespaces.length > 0,
    optOutCgroupLevels: [...new Set(optOut.cgroups.map(({ level }) => level))].sort((a, b) => a - b),
    entries: [
      entriesOf(
        optOutNamespaces,
        optOut.namespaces.map((cookie) => [cookie, 1]),
      ),
      entriesOf(
        optOutCgroups,
        optOut.cgroups.map(({ id }) => [id, 1]),
      ),
      entriesOf(sources, sourceSeeds(namespaces)),
      ...(["ipv4", "ipv6"] as const).map((family) =>
        entriesOf(familyMaps[family].skip, skipEntries(family, services, others)),
      ),
    ],
  };
}

/** One type for all of them: each map is only ever given its own. */
function entriesOf<D extends MapDefinition>(definition: D, entries: MapEntries<D>["entries"]): MapEntries {
  return { definition, entries } as unknown as MapEntries;
}

/**
 * What each network namespace chooses by in Maglev tables: a number of its
 * first IPv4 address, of its first IPv6 address where it has none, and of none
 * where it has neither. Addresses that other hosts may have as well do not count.
 */
export function sourceSeeds(namespaces: readonly NetworkNamespace[]): (readonly [cookie: bigint, seed: number])[] {
  return namespaces.flatMap(({ cookie, addresses }) => {
    const own = addresses.filter((address) => !isLoopback(address) && !address.startsWith("169.254."));
    const source = own.find((address) => isIPv4(address)) ?? own[0];
    return source === undefined ? [] : [[cookie, hashOf(source)] as const];
  });
}

/** The keys of the map `skip` of a family: which services' addresses are left alone in which network namespaces, those of their own backends. */
export function skipEntries(
  family: AddressFamily,
  services: readonly ServiceDefinition[],
  namespaces: readonly NetworkNamespace[],
): MapEntries<(typeof familyMaps)["ipv4"]["skip"]>["entries"] {
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
      const asked = frontEnds.filter((frontEnd) => isReachable(frontEnd) && familyOf(frontEnd.address) === family);
      return [...cookies].flatMap((netnsCookie) =>
        asked.map(({ address, port }) => [{ netnsCookie, address, port }, 1] as const),
      );
    });
}
