/** What the kernel's maps of one address family say at the moment. */
import type { backends, services, slots } from "../../../programs/maps.ts";
import type { MapKey, MapValue } from "../../loader/index.ts";
import type { FamilyMaps } from "../apply/maps.ts";
import {
  backendStateOf,
  endpointText,
  protocolOf,
  ServiceFlag,
  type BackendDefinition,
  type ServiceDefinition,
} from "../model/service.ts";

export type ServiceKeyValue = MapKey<typeof services>;
export type ServiceValue = MapValue<typeof services>;
export type SlotValue = MapValue<typeof slots>;
export type MemberKey = MapKey<typeof backends>;
/** A backend of a service that flows may stay with: an element of the backends map. */
export type Member = readonly [key: MemberKey, state: MapValue<typeof backends>];
/** What the maps of the programs do not tell of a backend. */
export type Setting = readonly [key: MemberKey, value: { readonly weight: number; readonly state: number }];

/** A service under one of its addresses, as the maps have it. */
export interface StoredFrontEnd {
  readonly key: ServiceKeyValue;
  readonly value: ServiceValue;
  /** What its slots hold; empty where they lie outside of the map. */
  readonly slots: readonly SlotValue[];
  /** Absent where the maps name none. */
  readonly name: string | undefined;
}

export interface State {
  readonly frontEnds: readonly StoredFrontEnd[];
  /** Names without a service: left by a command that was killed. */
  readonly strayNames: readonly ServiceKeyValue[];
  /** The backends that flows may stay with. */
  readonly members: readonly Member[];
  readonly settings: readonly Setting[];
  /** The filter's words that are not zero, by their numbers. */
  readonly filter: ReadonlyMap<number, bigint>;
  /** Where allocation goes on. */
  readonly allocation: { readonly nextSlot: number; readonly nextRevNatIndex: number };
  /** Entries that the services map has room for. */
  readonly serviceRoom: number;
  /** Entries that the backends map has room for. */
  readonly memberRoom: number;
  /** Entries of the slots map. */
  readonly slotCount: number;
}

/**
 * What the maps say.
 * @throws {BpfError}
 */
export function readState(maps: FamilyMaps): State {
  const names = new Map(Array.from(maps.serviceNames, ([key, { name }]) => [keyText(key), { key, name }]));
  const slotCount = maps.slots.maxEntries;
  const frontEnds = Array.from(maps.services, ([key, value]) => {
    const text = keyText(key);
    const name = names.get(text)?.name;
    names.delete(text);
    const { base, count } = value.range;
    return { key, value, name, slots: base + count > slotCount ? [] : sharing(maps.slots.getRange(base, count)) };
  });
  return {
    frontEnds,
    strayNames: Array.from(names.values(), ({ key }) => key),
    members: [...maps.backends],
    settings: [...maps.backendSettings],
    filter: new Map(Array.from(maps.serviceFilter).filter(([, bits]) => bits !== 0n)),
    allocation: maps.allocation.get(0) ?? { nextSlot: 0, nextRevNatIndex: 0 },
    serviceRoom: Math.min(maps.services.maxEntries, maps.serviceNames.maxEntries),
    memberRoom: maps.backends.maxEntries,
    slotCount,
  };
}

/** The same slots, equal ones one object: a Maglev table has thousands of a few backends. */
function sharing(slots: readonly SlotValue[]): readonly SlotValue[] {
  const known = new Map<string, SlotValue>();
  return slots.map((slot) => {
    const other = known.get(slot.address);
    if (other?.port === slot.port && other.state === slot.state) return other;
    known.set(slot.address, slot);
    return slot;
  });
}

/** A key in a form that can be compared. */
export function keyText({ address, port, protocol, scope }: ServiceKeyValue): string {
  return `${address}:${port}/${protocol}/${scope}`;
}

/** The same for a member. */
export function memberText({ address, port, revNatIndex }: MemberKey): string {
  return `${revNatIndex}/${address}:${port}`;
}

/** The same for front ends of one service, and another for those of another. */
export function serviceText({ key, name, value: { revNatIndex, range, affinityTimeout } }: StoredFrontEnd): string {
  return `${revNatIndex}/${key.protocol}/${range.base}/${range.count}/${affinityTimeout}/${name ?? ""}`;
}

/** A service as the maps have it. */
export interface StoredService {
  /** Absent where the maps name none. */
  readonly name: string | undefined;
  readonly revNatIndex: number;
  readonly affinityTimeout: number;
  /** Slots of its Maglev table; absent where it has none. */
  readonly maglevTableSize?: number;
  /** At least one. */
  readonly frontEnds: readonly StoredFrontEnd[];
  readonly backends: readonly BackendDefinition[];
}

/** The services that the maps hold, each with all its addresses, in the order of their indices. */
export function storedServices({ frontEnds, members, settings }: State): StoredService[] {
  const groups = new Map<string, StoredFrontEnd[]>();
  for (const frontEnd of frontEnds) {
    const text = serviceText(frontEnd);
    const group = groups.get(text);
    if (group === undefined) groups.set(text, [frontEnd]);
    else group.push(frontEnd);
  }
  const membersByIndex = byIndex(members);
  const settingsByIndex = byIndex(settings);
  return Array.from(groups.values(), (group): StoredService => {
    const {
      name,
      slots,
      value: { revNatIndex, affinityTimeout, flags, range },
    } = group[0]!;
    const hasTable = (flags & ServiceFlag.MAGLEV) !== 0;
    const backends = storedBackends(
      slots,
      hasTable,
      membersByIndex.get(revNatIndex) ?? [],
      settingsByIndex.get(revNatIndex) ?? [],
    );
    return {
      name,
      revNatIndex,
      affinityTimeout,
      frontEnds: group,
      backends,
      ...(hasTable && { maglevTableSize: range.count }),
    };
  }).sort((a, b) => a.revNatIndex - b.revNatIndex);
}

function byIndex<T>(entries: readonly (readonly [MemberKey, T])[]): Map<number, (readonly [MemberKey, T])[]> {
  const groups = new Map<number, (readonly [MemberKey, T])[]>();
  for (const entry of entries) {
    const group = groups.get(entry[0].revNatIndex);
    if (group === undefined) groups.set(entry[0].revNatIndex, [entry]);
    else group.push(entry);
  }
  return groups;
}

/**
 * Those with slots first, each as often as it has weight, but for a Maglev table;
 * then those that only keep their flows; then those that lose them.
 */
function storedBackends(
  slots: readonly SlotValue[],
  hasTable: boolean,
  members: readonly Member[],
  settings: readonly Setting[],
): BackendDefinition[] {
  const found = new Map<string, BackendDefinition>();
  for (const { address, port, state } of slots) {
    const text = endpointText({ address, port });
    const weight = hasTable ? 1 : (found.get(text)?.weight ?? 0) + 1;
    found.set(text, { address, port, weight, state: backendStateOf(state) ?? "active" });
  }
  for (const [{ address, port }, state] of members) {
    const text = endpointText({ address, port });
    if (!found.has(text)) found.set(text, { address, port, weight: 1, state: backendStateOf(state) ?? "terminating" });
  }
  for (const [{ address, port }, { weight, state }] of settings) {
    const text = endpointText({ address, port });
    const backend = found.get(text) ?? { address, port, state: backendStateOf(state) ?? "maintenance" };
    found.set(text, { ...backend, weight });
  }
  return [...found.values()];
}

/**
 * A stored service in the form in which it is asked for; one without a name is
 * called by its address. Undefined for what no configuration can ask for.
 */
export function definitionOf({
  name,
  frontEnds,
  backends,
  affinityTimeout,
  maglevTableSize,
  revNatIndex,
}: StoredService): ServiceDefinition | undefined {
  const { key } = frontEnds[0]!;
  const protocol = protocolOf(key.protocol);
  if (protocol === undefined) return undefined;
  return {
    name: name ?? `${endpointText(key)}/${protocol}`,
    protocol,
    backends,
    affinityTimeout,
    revNatIndex,
    ...(maglevTableSize !== undefined && { maglevTableSize }),
    frontEnds: frontEnds.map(({ key: { address, port, scope }, value: { flags } }) => ({
      address,
      port,
      scope,
      flags,
    })),
  };
}
