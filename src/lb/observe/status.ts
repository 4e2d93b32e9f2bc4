/** The loaded state, read from the kernel. */
import { loadBalancerPrograms, NO_SERVICE, optOutCgroups, optOutNamespaces } from "../../../programs/index.ts";
import { SLOT_SIZE } from "../../asm/index.ts";
import { possibleCpus } from "../../kernel/index.ts";
import { checkManager, type PinDirectory } from "../../loader/index.ts";
import { mapTypeName } from "../../types/index.ts";
import {
  builtOptions,
  controlMaps,
  familyMaps,
  loadBalancerMaps,
  loadedPins,
  pinnedFamilies,
  readBuiltOptions,
  readCounters,
  readState,
  sumCounters,
  type CounterTotals,
  type FamilyMaps,
} from "../apply/index.ts";
import { attachOrder, cgroupPath, hookText } from "../host/index.ts";
import {
  endpointText,
  isReachable,
  isUnspecified,
  protocolOf,
  ServiceFlag,
  type AddressFamily,
  type BackendStateName,
} from "../model/index.ts";
import { storedServices } from "../plan/index.ts";
import { eventsState, type EventsState } from "./listening.ts";
import { pinnedMapUses, type MapUse } from "./map-use.ts";

/** A loaded load balancer. */
export interface Status {
  /** The pin directory. */
  readonly pins: string;
  readonly programs: readonly ProgramStatus[];
  /**
   * Hooks that should run a program and do not, such as `cgroup/connect4`: a
   * load or unload was interrupted, something else detached it, or the cgroup is gone.
   */
  readonly missing: readonly string[];
  readonly maps: readonly MapStatus[];
  readonly services: readonly ServiceStatus[];
  /** Paths of what something else has put among the pins. */
  readonly foreignPins: readonly string[];
  /** Sockets that are not balanced. */
  readonly optOut: {
    /** Directories; undefined for a cgroup that is gone or not visible to this process. */
    readonly cgroups: readonly (string | undefined)[];
    /** Cookies of the namespaces. */
    readonly networkNamespaces: readonly bigint[];
  };
  /** Calls that belong to no service. Undefined without options.metrics. */
  readonly counters: CounterTotals | undefined;
  readonly evictions: Evictions;
  /** Whether programs emit events, and whether a monitor listens. */
  readonly events: EventsState;
}

/** Entries that maps dropped to make room. */
export interface Evictions {
  /** Reverse entries that were gone when their socket closed, of both families. Undefined without options.metrics. */
  readonly reverseEntries: bigint | undefined;
  /** LRU maps with no more room than the free elements that each CPU keeps: they evict, or soon will. */
  readonly fullMaps: readonly string[];
}

/** A program and its link. */
export interface ProgramStatus {
  readonly name: string;
  /** `cgroup/connect4`. */
  readonly hook: string;
  readonly id: number;
  readonly linkId: number;
  /** The cgroup it is attached to; undefined if that is gone or not visible to this process. */
  readonly cgroup: string | undefined;
  /** False if the link is detached, as when the cgroup is gone: the program no longer runs. */
  readonly attached: boolean;
  /** As the kernel runs them, with the verifier's own additions. */
  readonly instructions: number;
  /** Bytes of machine code; 0 if the kernel has no JIT compiler. */
  readonly jitedBytes: number;
  /** Runs and their mean time in nanoseconds, counted while kernel.bpf_stats_enabled is 1; undefined if none were. */
  readonly runs: { readonly count: bigint; readonly meanNs: number } | undefined;
}

/** A pinned map. */
export interface MapStatus {
  readonly name: string;
  readonly id: number;
  /** `lru_hash`, … */
  readonly type: string;
  readonly maxEntries: number;
  /** Undefined if all elements always exist, or if they belong to sockets. */
  readonly use: MapUse | undefined;
}

/** A service, or the part of one whose addresses share their backends. */
export interface ServiceStatus {
  /** The same for both parts of a service; undefined if the maps have none. */
  readonly name: string | undefined;
  readonly family: AddressFamily;
  /** Every address that sockets can call: `100.0.0.1:80`, `[fd00::1]:80`. Host ports and node ports come last. */
  readonly frontEnds: readonly string[];
  /** The port on every local address that no process may bind; undefined if it has none. */
  readonly nodePort: number | undefined;
  /** The port on `hostIP`, or on every local address; undefined if it has none. */
  readonly hostPort: number | undefined;
  /** Whether its backends are only those on this node. */
  readonly nodeLocal: boolean;
  /** Whether they replace an existing address. */
  readonly localRedirect: boolean;
  /** `tcp`, `udp`, `udplite`, or a number. */
  readonly protocol: string;
  readonly revNatIndex: number;
  /** The selection of a backend for a new flow. */
  readonly algorithm: "random" | "maglev";
  /** Session affinity in seconds; 0: none. */
  readonly affinityTimeout: number;
  /** Whether sockets are closed when the service loses their backend. */
  readonly closeSockets: boolean;
  /** Whether a backend's own calls to it pass through. */
  readonly skipSelf: boolean;
  readonly backends: readonly BackendStatus[];
  /** Undefined without options.metrics. */
  readonly counters: CounterTotals | undefined;
}

/** A backend of a service. */
export interface BackendStatus {
  /** `20.0.0.1:80`, `[fd00::1]:80`. */
  readonly endpoint: string;
  readonly weight: number;
  readonly state: BackendStateName;
}

/**
 * What is loaded.
 * @param pins the pin directory
 * @returns undefined if nothing is loaded
 * @throws {LoaderError} if the directory belongs to something else, or this process lacks the privileges
 * @throws {BpfError} if the kernel refuses
 *
 * @example
 * ```ts
 * import { loadBalancerStatus } from "tsbpf/lb";
 *
 * const services = loadBalancerStatus("/sys/fs/bpf/tsbpf")?.services ?? [];
 * ```
 */
export function loadBalancerStatus(pins: string): Status | undefined {
  checkManager();
  const loaded = loadedPins(pins);
  return loaded === undefined ? undefined : statusOf(loaded);
}

function statusOf(pins: PinDirectory): Status {
  const families = pinnedFamilies(pins);
  const { generation, families: maps } = controlMaps(pins, families);
  const counters = new Map(
    pinnedFamilies(pins, "metrics").map((family) => {
      using map = pins.map(familyMaps[family].metrics);
      return [family, readCounters(map)];
    }),
  );
  const programs = programStatus(pins);
  const mapsNow = mapStatus(pins);
  const unnamed =
    counters.size === 0
      ? undefined
      : sumCounters(
          [...counters.values()].map((totals) => totals.get(NO_SERVICE)).filter((totals) => totals !== undefined),
        );
  try {
    return {
      pins: pins.directory,
      programs,
      foreignPins: pins.foreign(),
      missing: missingHooks(pins, programs),
      maps: mapsNow,
      services: Array.from(maps, ([family, map]) => serviceStatus(family, map, counters.get(family))).flat(),
      optOut: {
        cgroups: pinnedKeys(pins, optOutCgroups).map((id) => cgroupPath(id)),
        networkNamespaces: pinnedKeys(pins, optOutNamespaces),
      },
      events: eventsState(pins),
      counters: unnamed,
      evictions: {
        reverseEntries: unnamed?.reverseEvicted,
        fullMaps: mapsNow.filter(isFull).map(({ name }) => name),
      },
    };
  } finally {
    for (const map of [generation, ...Array.from(maps.values(), (map) => Object.values(map)).flat()]) map.close();
  }
}

/** The keys of an optional map, ascending. */
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

/** The hooks that the loaded options need and no attached program serves, in the order of display. */
function missingHooks(pins: PinDirectory, programs: readonly ProgramStatus[]): string[] {
  using built = pins.map(builtOptions);
  const attached = new Set(programs.filter(({ attached }) => attached).map(({ hook }) => hook));
  return loadBalancerPrograms(readBuiltOptions(built))
    .map(({ hook }) => hook.expectedAttachType)
    .sort((a, b) => attachOrder(b) - attachOrder(a))
    .map(hookText)
    .filter((hook) => !attached.has(hook));
}

/** The most free elements that each CPU keeps of an LRU map: `LOCAL_FREE_TARGET` in kernel/bpf/bpf_lru_list.c. */
const KEPT_FREE = 128;

/** Whether an LRU map evicts, as far as its use tells. */
function isFull({ type, use, maxEntries }: MapStatus): boolean {
  if (type !== "lru_hash" || use === undefined) return false;
  const cpus = possibleCpus();
  // Since Linux 6.16 the CPUs keep half of a small map at most.
  const kept = cpus * Math.max(1, Math.min(KEPT_FREE, Math.floor(maxEntries / cpus / 2)));
  return maxEntries - use.used <= kept;
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
          .sort((a, b) => (endpointText(a.key) < endpointText(b.key) ? -1 : 1))
          .map(({ key }) => key)
          // 0.0.0.0 and `::`, other names of loopback addresses, come after them.
          .sort((a, b) => Number(isUnspecified(a.address)) - Number(isUnspecified(b.address)))
          .map(endpointText),
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

/** A map type's name in linux/bpf.h, in lower case: `lru_hash`. */
export function mapTypeText(type: number): string {
  return mapTypeName(type).toLowerCase();
}
