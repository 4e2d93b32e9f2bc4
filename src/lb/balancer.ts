/** Programs, maps and services into the kernel, over what is there already or afresh. */
import { defaultOptions, loadBalancerPrograms, Scope, type DataPathOptions } from "../../programs/index.ts";
import { Errno } from "../dsl/index.ts";
import {
  attach,
  cgroupRoot,
  checkManager,
  instructionSetLevel,
  load,
  openCgroup,
  PinDirectory,
  type Collection,
} from "../loader/index.ts";
import type { Program } from "../asm/index.ts";
import { writeBuiltOptions } from "./apply/built-options.ts";
import { closeStaleSockets, type ConnectionMaps } from "./apply/close-sockets.ts";
import type { Config } from "./sources/file/index.ts";
import { announce, applyPlans } from "./apply/write-plans.ts";
import { dropCounters, makeCounters } from "./apply/counters.ts";
import {
  definitionOf,
  EntryChange,
  planServices,
  readState,
  storedServices,
  type Outcome,
  type Plan,
  type State,
} from "./plan/index.ts";
import { expandServices } from "./model/front-ends.ts";
import {
  addressesOf,
  attachOrder,
  checkHooks,
  probeDataPath,
  readSurroundings,
  type Surroundings,
} from "./host/index.ts";
import { exclusively } from "./apply/lock.ts";
import { builtOptions, controlMaps, familyMaps, mapsWithoutPrograms, type ControlMaps } from "./apply/maps.ts";
import { anyHasFlag, familyOf, ServiceFlag, type AddressFamily, type ServiceDefinition } from "./model/service.ts";
import { OWNER, reportStatus, type Status } from "./observe/index.ts";

export interface LoadRequest {
  readonly config: Config;
  /** A cgroup v2 directory: its processes, and those of the cgroups below, are balanced. The root of the hierarchy if absent. */
  readonly cgroup?: string | undefined;
  /** A directory on a BPF file system for programs, links and maps to outlive this process. */
  readonly pins: string;
  /** A file that stands for the network namespace which counts as the host's, with its addresses; this process's own if absent. */
  readonly hostNetworkNamespace?: string | undefined;
}

export interface LoadResult {
  readonly status: Status;
  /** Whether programs that were attached before were replaced. */
  readonly replaced: boolean;
  /** What became of the services. */
  readonly services: Outcome;
  /** Names of those whose address is left as it is, since they redirect to backends of this node and it has none. */
  readonly withoutLocalBackends: readonly string[];
  /** Sockets that were closed since their service has lost the backend that they were connected to. */
  readonly closedSockets: number;
}

/**
 * Loads the load balancer, or replaces the one that is loaded: its programs in
 * one step each, its services as `planServices` has it, so that no call meets
 * neither the old nor the new. Everything or nothing: where something fails,
 * all is as it was.
 *
 * @throws {LoaderError | LoadBalancerError} where this machine, the cgroup or the directory will not do
 * @throws {BpfError} where the kernel refuses; {VerifierError} where its verifier does
 */
export async function loadLoadBalancer({
  config,
  cgroup: wanted,
  pins: directory,
  hostNetworkNamespace,
}: LoadRequest): Promise<LoadResult> {
  checkManager();
  const services = expandServices(config, addressesOf(hostNetworkNamespace));
  const expanded = new Set(services.map(({ name }) => name));
  const surroundings = readSurroundings(config, services, hostNetworkNamespace);
  const families: readonly AddressFamily[] = config.options.ipv6 ? ["ipv4", "ipv6"] : ["ipv4"];
  const cgroup = wanted ?? cgroupRoot();
  const options = dataPathOptions(config, services, surroundings);
  const target = openCgroup(cgroup);
  let programs: Program[];
  try {
    const sources = loadBalancerPrograms(options);
    checkHooks(
      target,
      sources.map(({ hook }) => hook.expectedAttachType).filter((attachType) => attachType !== undefined),
    );
    programs = sources
      .map((source) => source.compile({ isa: instructionSetLevel() }))
      .sort((a, b) => attachOrder(a.expectedAttachType) - attachOrder(b.expectedAttachType));
  } finally {
    target.close();
  }

  return exclusively(
    () => PinDirectory.create(directory, OWNER).directory,
    async () => {
      const pins = PinDirectory.create(directory, OWNER);
      const connectionsBefore = pinnedConnections(pins, families);
      try {
        const kept = [...families.flatMap(mapsWithoutPrograms), builtOptions];
        const names = new Set([...programs.flatMap(({ maps }) => maps), ...kept].map(({ name }) => name));
        using collection = load(programs, {
          pins,
          maps: kept,
          maxEntries: Object.fromEntries(Object.entries(mapSizes(config)).filter(([name]) => names.has(name))),
        });
        const maps = controlMaps(collection, families);
        const before = new Map(Array.from(maps.families, ([family, map]) => [family, readState(map)]));
        const plans = plansFor(before, services);
        const counters = new Map(
          (options.metrics ? families : []).map((family) => [family, collection.map(familyMaps[family].metrics)]),
        );
        const built = collection.map(builtOptions);
        const builtBefore = built.get(0)!;
        const changes = entryChanges(collection, surroundings);
        let replaced: boolean;
        try {
          makeCounters(counters, plans);
          applyPlans(maps, plans, changes);
          writeBuiltOptions(built, options);
          const attached = attach(collection, { cgroup, pins });
          replaced = attached.attachments.some(({ how }) => how === "replaced");
          attached.close();
        } catch (error) {
          built.set(0, builtBefore);
          dropCounters(counters, restore(maps, before, changes));
          throw error;
        }
        dropCounters(counters, plans);
        // A program of before, built for other checks, may have found flows true under the new generation.
        if (replaced) announce(maps);
        const total = (what: keyof LoadResult["services"]) =>
          Array.from(plans.values(), (plan) => plan[what]).reduce((sum, number) => sum + number, 0);
        const connections = new Map(
          Array.from(maps.families, ([family, { services, backends }]) => {
            // Where no service asks for it any more, those that did have their sockets closed for the last time.
            const map = options.trackConnections
              ? collection.map(familyMaps[family].connections)
              : connectionsBefore.get(family);
            return [family, map && { services, backends, connections: map }] as const;
          }).filter((entry): entry is [AddressFamily, ConnectionMaps] => entry[1] !== undefined),
        );
        const closedSockets = await closeStaleSockets(connections);
        return {
          status: reportStatus(pins),
          replaced,
          closedSockets,
          withoutLocalBackends: config.services.map(({ name }) => name).filter((name) => !expanded.has(name)),
          services: {
            added: total("added"),
            changed: total("changed"),
            removed: total("removed"),
            unchanged: total("unchanged"),
          },
        };
      } finally {
        for (const map of connectionsBefore.values()) map.close();
        // Only where nothing was loaded before, and nothing is now.
        pins.removeIfEmpty();
      }
    },
  );
}

/** What the programs that are loaded have noted of sockets' connections: opened before other programs take their place, which may note nothing. */
function pinnedConnections(
  pins: PinDirectory,
  families: readonly AddressFamily[],
): Map<AddressFamily, ConnectionMaps["connections"]> {
  const names = new Set(pins.names("maps"));
  return new Map(
    families
      .filter((family) => names.has(familyMaps[family].connections.name))
      .map((family) => [family, pins.map(familyMaps[family].connections)]),
  );
}

/** What the programs are built for: what this kernel offers, and what the configuration makes use of. */
function dataPathOptions(
  { options }: Config,
  services: readonly ServiceDefinition[],
  surroundings: Surroundings,
): DataPathOptions {
  const uses = (flag: number) => anyHasFlag(services, flag);
  return {
    ...defaultOptions,
    ...probeDataPath(),
    ipv6: options.ipv6,
    rememberStreams: options.getpeername === "service",
    recentInReverseMap: options.reverseEntries === "all",
    metrics: options.metrics,
    noBackendErrno: options.noBackend && Errno[options.noBackend],
    affinity: services.some(({ affinityTimeout }) => affinityTimeout > 0),
    trackConnections: uses(ServiceFlag.CLOSE_SOCKETS),
    nodePorts: services.some(({ frontEnds }) => frontEnds.some(({ scope }) => scope === Scope.NODE_PORT)),
    hostNamespaceOnly: options.hostNamespaceOnly,
    hostNamespaceServices: uses(ServiceFlag.HOST_NAMESPACE),
    hostNetnsCookie: surroundings.hostNetnsCookie,
    maglev: uses(ServiceFlag.MAGLEV),
    skipSelf: uses(ServiceFlag.SKIP_SELF),
    optOutNamespaces: surroundings.optOutNamespaces,
    optOutCgroupLevels: surroundings.optOutCgroupLevels,
  };
}

/** Entries by name of map; those maps that stand beside another are as large as that. */
function mapSizes({ maps }: Config): Record<string, number> {
  const sizes = { ...maps };
  for (const { services, serviceNames, backends, backendSettings } of Object.values(familyMaps)) {
    sizes[serviceNames.name] = sizes[services.name]!;
    sizes[backendSettings.name] = sizes[backends.name]!;
  }
  return sizes;
}

function plansFor(
  states: ReadonlyMap<AddressFamily, State>,
  services: readonly ServiceDefinition[],
): Map<AddressFamily, Plan> {
  return new Map(
    Array.from(states, ([family, state]) => [
      family,
      planServices(
        state,
        services.filter(({ frontEnds }) => familyOf(frontEnds[0]!.address) === family),
      ),
    ]),
  );
}

/** What the maps of network namespaces and cgroups need; those that no program reads are not there. */
function entryChanges(collection: Collection, { entries }: Surroundings): EntryChange[] {
  return entries
    .filter(({ definition }) => collection.maps.has(definition.name))
    .map(({ definition, entries }) => new EntryChange(collection.map(definition), entries));
}

/** Brings back what was there before a load that failed. */
function restore(
  maps: ControlMaps,
  before: ReadonlyMap<AddressFamily, State>,
  changes: readonly EntryChange[],
): ReadonlyMap<AddressFamily, Plan> {
  const plans = new Map(
    Array.from(before, ([family, state]) => {
      const services = storedServices(state)
        .map(definitionOf)
        .filter((service) => service !== undefined);
      return [family, planServices(readState(maps.families.get(family)!), services)];
    }),
  );
  applyPlans(
    maps,
    plans,
    changes.map((change) => change.reversed()),
  );
  return plans;
}
