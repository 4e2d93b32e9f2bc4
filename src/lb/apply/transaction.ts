/** Creates or changes programs, maps and services in the kernel. */
import { statSync } from "node:fs";
import type { DataPathOptions } from "../../../programs/index.ts";
import { attach, load, openCgroup, PinDirectory, removeObsolete, type MapHandle } from "../../loader/index.ts";
import type { MapDefinition } from "../../types/index.ts";
import { checkHooks } from "../host/index.ts";
import { familyOf, type AddressFamily, type ServiceDefinition } from "../model/index.ts";
import {
  definitionOf,
  planServices,
  storedServices,
  type MapEntries,
  type Outcome,
  type Plan,
  type State,
} from "../plan/index.ts";
import { isStoredBuild, writeBuild } from "./built-options.ts";
import { closeStaleSockets, type ConnectionMaps } from "./close-sockets.ts";
import { dropCounters, makeCounters } from "./counters.ts";
import { detachLinks, flowsInReverseMap } from "./detach.ts";
import { EntryChange } from "./entry-change.ts";
import { exclusively } from "./lock.ts";
import {
  builtOptions,
  controlMaps,
  familyMaps,
  mapsWithoutPrograms,
  reservedPortsMap,
  type ControlMaps,
} from "./maps.ts";
import { requireAlone, requireSameCgroup, type Permissions } from "./neighbours.ts";
import { OWNER, pinnedFamilies } from "./pins.ts";
import type { Build, ProgramBuilder } from "./programs.ts";
import { readState } from "./read-state.ts";
import { PortReservation, portsOfHost, type UnreservedPorts } from "./reserve-ports.ts";
import { applyPlans, bumpGeneration } from "./write-plans.ts";

/** Where a load balancer is. */
export interface Place extends Permissions {
  /** A cgroup v2 directory. */
  readonly cgroup: string;
  /** A directory on a BPF file system. */
  readonly pins: string;
  /** A file of the network namespace that counts as the host's. Absent: this process's. */
  readonly hostNetworkNamespace?: string | undefined;
  /** Called at each step, with words for people. */
  readonly onStep?: ((text: string) => void) | undefined;
}

/** The target state of the kernel. */
export interface Target {
  readonly options: DataPathOptions;
  readonly services: readonly ServiceDefinition[];
  /** Entries of the maps about the host. Absent: they stay. */
  readonly entries?: readonly MapEntries[] | undefined;
  /** Sizes of maps by name. */
  readonly sizes: Readonly<Record<string, number>>;
}

/** The result of a transaction. */
export interface TransactionResult {
  /**
   * `attached`: no program was attached to this cgroup before. `replaced`:
   * programs took the place of others. `kept`: the attached programs fit.
   */
  readonly programs: "attached" | "replaced" | "kept";
  readonly services: Outcome;
  readonly closedSockets: number;
  /** Node ports and host ports that the kernel may still choose for other sockets; undefined if there are none. */
  readonly unreservedPorts: UnreservedPorts | undefined;
  /** Paths of what something else has put among the pins. It stays. */
  readonly foreignPins: readonly string[];
}

/**
 * Makes the kernel hold exactly the target. Each program is replaced in one
 * step, and only if other programs are needed than those attached; services
 * change as `planServices` orders it, so that every call sees either the old
 * state or the new. If anything fails, everything is as it was.
 *
 * @param target may depend on what is loaded; called under the lock
 * @throws {LoaderError | LoadBalancerError} if the machine, the cgroup or the directory is not fit
 * @throws {BpfError} if the kernel refuses
 * @throws {VerifierError} if its verifier refuses a program
 */
export async function transact(
  { pins: directory, ...place }: Place,
  builder: ProgramBuilder,
  target: (pins: PinDirectory) => Target,
): Promise<TransactionResult> {
  openCgroup(place.cgroup).close();
  return exclusively(
    () => PinDirectory.create(directory, OWNER).directory,
    async () => {
      const pins = PinDirectory.create(directory, OWNER);
      pins.removeTemporary();
      let connectionsBefore: ReadonlyMap<AddressFamily, ConnectionMaps["connections"]> = new Map();
      try {
        place.onStep?.("building the programs");
        const wanted = target(pins);
        connectionsBefore = pinnedConnections(pins);
        return await change(place, pins, builder.build(wanted.options), wanted, connectionsBefore);
      } finally {
        for (const map of connectionsBefore.values()) map.close();
        // Empty only if nothing was loaded before and nothing is now.
        pins.removeIfEmpty();
      }
    },
  );
}

async function change(
  { cgroup, hostNetworkNamespace, onStep, ...permissions }: Omit<Place, "pins">,
  pins: PinDirectory,
  build: Build,
  { services, entries, sizes, options }: Target,
  connectionsBefore: ReadonlyMap<AddressFamily, ConnectionMaps["connections"]>,
): Promise<TransactionResult> {
  const families: readonly AddressFamily[] = options.ipv6 ? ["ipv4", "ipv6"] : ["ipv4"];
  const extraMaps = [...families.flatMap(mapsWithoutPrograms), reservedPortsMap, builtOptions];
  const names = new Set([...build.programs.flatMap(({ maps }) => maps), ...extraMaps].map(({ name }) => name));
  const maxEntries = Object.fromEntries(Object.entries(sizes).filter(([name]) => names.has(name)));
  const fits = isAttached(pins, build, cgroup, names, maxEntries);
  if (!fits) {
    requireHooks(cgroup, build);
    requireSameCgroup(pins, cgroup, permissions);
    requireAlone(pins, cgroup, build, permissions);
  }
  if (!fits) onStep?.("verifying the programs");
  const collection = fits ? undefined : load(build.programs, { pins, maps: extraMaps, maxEntries });
  using opened = new OpenedMaps(collection ?? pins);
  try {
    onStep?.("reading the maps");
    const maps = controlMaps(opened, families);
    const before = new Map(Array.from(maps.families, ([family, map]) => [family, readState(map)]));
    const plans = plansFor(before, services);
    const counters = new Map(
      (options.metrics ? families : []).map((family) => [family, opened.map(familyMaps[family].metrics)]),
    );
    const built = opened.map(builtOptions);
    const builtBefore = built.get(0)!;
    const changes = (entries ?? [])
      .filter(({ definition }) => names.has(definition.name))
      .map(({ definition, entries }) => new EntryChange(opened.map(definition), entries));
    const reservation = new PortReservation(opened.map(reservedPortsMap), hostNetworkNamespace);
    const ports = portsOfHost(services);
    let programs: TransactionResult["programs"] = "kept";
    let reserved: ReturnType<PortReservation["reserve"]> | undefined;
    const remembered = pins.names("maps").includes(reservedPortsMap.name);
    try {
      // What is reserved outlives a killed process, and so must the memory of it.
      if (!remembered) pins.pin("maps", reservedPortsMap.name, collection!.maps.get(reservedPortsMap.name)!.fd);
      onStep?.("writing the services");
      reserved = reservation.reserve(ports);
      makeCounters(counters, plans);
      applyPlans(maps, plans, changes);
      if (collection !== undefined) {
        writeBuild(built, build);
        onStep?.("attaching the programs");
        using attached = attach(collection, { cgroup, pins, keepObsolete: true });
        programs = attached.attachments.some(({ how }) => how === "replaced") ? "replaced" : "attached";
      }
    } catch (error) {
      built.set(0, builtBefore);
      reserved?.undo();
      if (!remembered) pins.unpin("maps", reservedPortsMap.name);
      dropCounters(counters, restore(maps, before, changes));
      throw error;
    }
    dropCounters(counters, plans);
    reservation.releaseAllBut(ports);
    // A replaced program, built for other checks, may have accepted flows under the new generation.
    if (programs === "replaced") bumpGeneration(maps);
    if (collection !== undefined) {
      const obsolete = pins.names("links").filter((name) => !collection.programs.has(name));
      if (obsolete.length > 0) onStep?.("waiting for answers in flight");
      await detachLinks(pins, obsolete, {
        flowsInReverseMap: options.recentInReverseMap && flowsInReverseMap(builtBefore.json),
      });
      removeObsolete(collection, pins);
    }
    const connections = new Map(
      Array.from(maps.families, ([family, { services, backends }]) => {
        // If no service tracks connections any more, the former connections are closed a last time.
        const map = options.trackConnections
          ? opened.map(familyMaps[family].connections)
          : connectionsBefore.get(family);
        return [family, map && { services, backends, connections: map }] as const;
      }).filter((entry): entry is [AddressFamily, ConnectionMaps] => entry[1] !== undefined),
    );
    return {
      programs,
      services: totals([...plans.values()]),
      closedSockets: await closeStaleSockets(connections),
      unreservedPorts: reserved.unreserved,
      foreignPins: pins.foreign(),
    };
  } finally {
    collection?.close();
  }
}

/** Whether exactly these programs are attached to the cgroup, with maps of these sizes. */
function isAttached(
  pins: PinDirectory,
  build: Build,
  cgroup: string,
  maps: ReadonlySet<string>,
  maxEntries: Readonly<Record<string, number>>,
): boolean {
  const pinned = { maps: new Set(pins.names("maps")), programs: new Set(pins.names("programs")) };
  if (pinned.maps.size !== maps.size || [...maps].some((name) => !pinned.maps.has(name))) return false;
  using options = pins.map(builtOptions);
  if (!isStoredBuild(options, build)) return false;
  if (Object.entries(maxEntries).some(([name, size]) => pins.mapInfo(name).maxEntries !== size)) return false;
  const cgroupId = statSync(cgroup, { bigint: true }).ino;
  const links = new Map(pins.links().map(({ name, link }) => [name, link]));
  return (
    links.size === build.programs.length &&
    build.programs.every(({ name }) => {
      const link = links.get(name);
      return link?.cgroupId === cgroupId && pinned.programs.has(name) && link.programId === pins.programInfo(name).id;
    })
  );
}

function requireHooks(cgroup: string, { programs }: Build): void {
  const target = openCgroup(cgroup);
  try {
    checkHooks(
      target,
      programs.map(({ expectedAttachType }) => expectedAttachType).filter((type) => type !== undefined),
    );
  } finally {
    target.close();
  }
}

/** Opens each map once, pinned or in a collection, and closes what it opened. */
class OpenedMaps implements Disposable {
  readonly #source: { map<D extends MapDefinition>(definition: D): MapHandle<D> };
  readonly #handles = new Map<string, MapHandle<MapDefinition>>();

  constructor(source: { map<D extends MapDefinition>(definition: D): MapHandle<D> }) {
    this.#source = source;
  }

  map<D extends MapDefinition>(definition: D): MapHandle<D> {
    const handle = this.#handles.get(definition.name) ?? this.#source.map<MapDefinition>(definition);
    this.#handles.set(definition.name, handle);
    return handle as unknown as MapHandle<D>;
  }

  [Symbol.dispose](): void {
    for (const handle of this.#handles.values()) handle.close();
  }
}

/** The connections that the attached programs have recorded; read first, as later programs may record none. */
function pinnedConnections(pins: PinDirectory): Map<AddressFamily, ConnectionMaps["connections"]> {
  return new Map(
    pinnedFamilies(pins, "connections").map((family) => [family, pins.map(familyMaps[family].connections)]),
  );
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

function totals(plans: readonly Plan[]): Outcome {
  const total = (count: keyof Outcome) => plans.reduce((sum, plan) => sum + plan[count], 0);
  return {
    added: total("added"),
    changed: total("changed"),
    removed: total("removed"),
    unchanged: total("unchanged"),
  };
}

/** The stored services as definitions. */
export function storedDefinitions(state: State): ServiceDefinition[] {
  return storedServices(state)
    .map(definitionOf)
    .filter((service) => service !== undefined);
}

/** Restores the state before a failed transaction. */
function restore(
  maps: ControlMaps,
  before: ReadonlyMap<AddressFamily, State>,
  changes: readonly EntryChange[],
): ReadonlyMap<AddressFamily, Plan> {
  const plans = new Map(
    Array.from(before, ([family, state]) => [
      family,
      planServices(readState(maps.families.get(family)!), storedDefinitions(state)),
    ]),
  );
  applyPlans(
    maps,
    plans,
    changes.map((change) => change.reversed()),
  );
  return plans;
}
