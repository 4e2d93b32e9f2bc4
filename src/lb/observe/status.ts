/** What is loaded, as the kernel tells it. */
import { NO_SERVICE } from "../../../programs/metrics.ts";
import { SLOT_SIZE } from "../../asm/index.ts";
import { optOutCgroups, optOutNamespaces } from "../../../programs/maps.ts";
import { checkManager, type PinDirectory } from "../../loader/index.ts";
import { MapType } from "../../types/index.ts";
import { attachOrder, cgroupPath, hookText } from "../host/index.ts";
import { readCounters, sumCounters, type CounterTotals } from "../apply/counters.ts";
import { eventsState, type EventsState } from "./listening.ts";
import { loadedPins, pinnedFamilies } from "../apply/pins.ts";
import { pinnedMapUses, type MapUse } from "./map-use.ts";
import { controlMaps, familyMaps, loadBalancerMaps, type FamilyMaps } from "../apply/maps.ts";
import {
  endpointText,
  isReachable,
  protocolOf,
  ServiceFlag,
  type AddressFamily,
  type BackendStateName,
} from "../model/service.ts";
import { readState, storedServices } from "../plan/index.ts";

export interface Status {
  /** The directory of the pins. */
  readonly pins: string;
  readonly programs: readonly ProgramStatus[];
  readonly maps: readonly MapStatus[];
  readonly services: readonly ServiceStatus[];
  /** Whose sockets are left alone. */
  readonly optOut: {
    /** Directories; undefined for one that is gone, or not to be seen from here. */
    readonly cgroups: readonly (string | undefined)[];
    /** The kernel's numbers of them. */
    readonly networkNamespaces: readonly bigint[];
  };
  /** What could not be counted under a service; undefined where the programs are not built to count. */
  readonly counters: CounterTotals | undefined;
  /** Whether translations are told of: whether somebody listens. */
  readonly events: EventsState;
}

export interface ProgramStatus {
  readonly name: string;
  /** `cgroup/connect4`. */
  readonly hook: string;
  readonly id: number;
  readonly linkId: number;
  /** The cgroup that it is attached to; undefined where that is gone or not to be seen from here. */
  readonly cgroup: string | undefined;
  /** False where the cgroup is gone, and the program runs no more. */
  readonly attached: boolean;
  /** As the kernel has them, after the verifier's own additions. */
  readonly instructions: number;
  /** Of machine code; 0 where the kernel has no JIT compiler. */
  readonly jitedBytes: number;
  /** Runs and their mean nanoseconds, counted while the kernel keeps statistics; undefined where it counted none. */
  readonly runs: { readonly count: bigint; readonly meanNs: number } | undefined;
}

export interface MapStatus {
  readonly name: string;
  readonly id: number;
  /** `lru_hash`, … */
  readonly type: string;
  readonly maxEntries: number;
  /** Undefined where every element is there from the start, or they hang on sockets. */
  readonly use: MapUse | undefined;
}

/** A service, or that part of one which has the same backends. */
export interface ServiceStatus {
  /** The same for both parts of a service; absent where no name was recorded. */
  readonly name: string | undefined;
  readonly family: AddressFamily;
  /** `100.0.0.1:80`, `[fd00::1]:80`: each address under which sockets find it, those of its host port and node port last. */
  readonly frontEnds: readonly string[];
  /** The port that no process may bind, since it is the service's on every local address; absent where it has none. */
  readonly nodePort: number | undefined;
  /** The port of `hostIP`, or of every local address, that is the service's; absent where it has none. */
  readonly hostPort: number | undefined;
  /** Whether its backends are those of this node alone. */
  readonly nodeLocal: boolean;
  /** Whether those take the place of an address that exists. */
  readonly localRedirect: boolean;
  /** `tcp`, `udp`; a number for any other. */
  readonly protocol: string;
  readonly revNatIndex: number;
  /** How a backend is chosen for a new flow. */
  readonly algorithm: "random" | "maglev";
  /** Seconds for which a client keeps its backend; 0: it does not. */
  readonly affinityTimeout: number;
  /** Whether sockets are closed when the service loses the backend that they are connected to. */
  readonly closeSockets: boolean;
  /** Whether a backend that asks for it is left alone. */
  readonly skipSelf: boolean;
  readonly backends: readonly BackendStatus[];
  /** Undefined where the programs are not built to count. */
  readonly counters: CounterTotals | undefined;
}

export interface BackendStatus {
  /** `20.0.0.1:80`, `[fd00::1]:80`. */
  readonly endpoint: string;
  readonly weight: number;
  readonly state: BackendStateName;
}

/**
 * What is loaded.
 * @param pins the directory that it was loaded with
 * @returns undefined where nothing is
 * @throws {LoaderError} where the directory is not ours, or this process may not ask
 * @throws {BpfError}
 */
export function loadBalancerStatus(pins: string): Status | undefined {
  checkManager();
  const loaded = loadedPins(pins);
  return loaded === undefined ? undefined : reportStatus(loaded);
}

/** The same, of a directory that is open. */
export function reportStatus(pins: PinDirectory): Status {
  const families = pinnedFamilies(pins);
  const { generation, families: maps } = controlMaps(pins, families);
  const counters = new Map(
    pinnedFamilies(pins, "metrics").map((family) => {
      using map = pins.map(familyMaps[family].metrics);
      return [family, readCounters(map)];
    }),
  );
  try {
    return {
      pins: pins.directory,
      programs: programStatus(pins),
      maps: mapStatus(pins),
      services: Array.from(maps, ([family, map]) => serviceStatus(family, map, counters.get(family))).flat(),
      optOut: {
        cgroups: pinnedKeys(pins, optOutCgroups).map((id) => cgroupPath(id)),
        networkNamespaces: pinnedKeys(pins, optOutNamespaces),
      },
      events: eventsState(pins),
      counters:
        counters.size === 0
          ? undefined
          : sumCounters(
              [...counters.values()].map((totals) => totals.get(NO_SERVICE)).filter((totals) => totals !== undefined),
            ),
    };
  } finally {
    for (const map of [generation, ...Array.from(maps.values(), (map) => Object.values(map)).flat()]) map.close();
  }
}

/** The keys of a map that is there only where something makes use of it, in ascending order. */
function pinnedKeys(pins: PinDirectory, definition: typeof optOutCgroups): bigint[] {
  if (!pins.names("maps").includes(definition.name)) return [];
  using map = pins.map(definition);
  return [...map.keys()].sort((a, b) => (a < b ? -1 : 1));
}

function programStatus(pins: PinDirectory): ProgramStatus[] {
  const paths = new Map<bigint, string | undefined>();
  const pathOf = (id: bigint) => {
    if (!paths.has(id)) paths.set(id, cgroupPath(id));
    return paths.get(id);
  };
  return pins
    .links()
    .sort((a, b) => attachOrder(b.link.attachType) - attachOrder(a.link.attachType))
    .map(({ name, link, program }) => {
      const { cgroupId = 0n } = link;
      return {
        name,
        hook: hookText(link.attachType),
        id: link.programId,
        linkId: link.id,
        cgroup: cgroupId === 0n ? undefined : pathOf(cgroupId),
        attached: cgroupId !== 0n,
        instructions: (program?.xlatedLength ?? 0) / SLOT_SIZE,
        jitedBytes: program?.jitedLength ?? 0,
        runs:
          program !== undefined && program.runCount > 0n
            ? { count: program.runCount, meanNs: Number(program.runTimeNs) / Number(program.runCount) }
            : undefined,
      };
    });
}

function mapStatus(pins: PinDirectory): MapStatus[] {
  const uses = pinnedMapUses(pins);
  const order = loadBalancerMaps.map(({ name }) => name);
  return pins
    .names("maps")
    .sort((a, b) => order.indexOf(a) - order.indexOf(b))
    .map((name) => {
      const { id, type, maxEntries } = pins.mapInfo(name);
      return { name, id, type: mapTypeText(type), maxEntries, use: uses.get(name) };
    });
}

function serviceStatus(
  family: AddressFamily,
  maps: FamilyMaps,
  counters: ReadonlyMap<number, CounterTotals> | undefined,
): ServiceStatus[] {
  return storedServices(readState(maps)).map(({ name, revNatIndex, affinityTimeout, frontEnds, backends }) => {
    const { protocol } = frontEnds[0]!.key;
    const kinds = ServiceFlag.HOST_PORT | ServiceFlag.NODE_PORT;
    const has = (flag: number) => frontEnds.some(({ value }) => (value.flags & flag) !== 0);
    return {
      name,
      family,
      frontEnds: [0, ServiceFlag.HOST_PORT, ServiceFlag.NODE_PORT].flatMap((kind) =>
        frontEnds
          .filter(({ key, value }) => isReachable(key) && (value.flags & kinds) === kind)
          .map(({ key }) => endpointText(key))
          .sort(),
      ),
      nodePort: frontEnds.find(({ key }) => !isReachable(key))?.key.port,
      hostPort: frontEnds.find(({ value }) => (value.flags & ServiceFlag.HOST_PORT) !== 0)?.key.port,
      nodeLocal: has(ServiceFlag.LOCAL_SCOPE),
      localRedirect: has(ServiceFlag.LOCAL_REDIRECT),
      protocol: protocolOf(protocol) ?? String(protocol),
      revNatIndex,
      affinityTimeout,
      algorithm: has(ServiceFlag.MAGLEV) ? "maglev" : "random",
      closeSockets: has(ServiceFlag.CLOSE_SOCKETS),
      skipSelf: has(ServiceFlag.SKIP_SELF),
      backends: backends.map((backend) => ({
        endpoint: endpointText(backend),
        weight: backend.weight,
        state: backend.state,
      })),
      counters: counters?.get(revNatIndex),
    };
  });
}

/** A map type's name in linux/bpf.h, in small letters: `lru_hash`. */
export function mapTypeText(type: number): string {
  return (
    Object.entries(MapType)
      .find(([, value]) => value === type)?.[0]
      .toLowerCase() ?? String(type)
  );
}
