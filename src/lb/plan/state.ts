/** The contents of one address family's maps, and the services that follow from them. */
import type { backends, services, slots } from "../../../programs/index.ts";
import type { Infer } from "../../types/index.ts";
import {
  backendStateOf,
  endpointText,
  protocolOf,
  ServiceFlag,
  type BackendDefinition,
  type ServiceDefinition,
} from "../model/index.ts";

export type ServiceKeyValue = Infer<(typeof services)["key"]>;
export type ServiceValue = Infer<(typeof services)["value"]>;
export type SlotValue = Infer<(typeof slots)["value"]>;
export type MemberKey = Infer<(typeof backends)["key"]>;
/** A backend that existing flows of a service may keep: an element of the backends map. */
export type Member = readonly [key: MemberKey, state: Infer<(typeof backends)["value"]>];
/** Facts about a backend that the programs' own maps lack. */
export type Setting = readonly [key: MemberKey, value: { readonly weight: number; readonly state: number }];

/** One address of a service, as stored. */
export interface StoredFrontEnd {
  readonly key: ServiceKeyValue;
  readonly value: ServiceValue;
  /** Empty if they lie outside of the map. */
  readonly slots: readonly SlotValue[];
  /** Absent if the maps have none. */
  readonly name: string | undefined;
}

export interface State {
  readonly frontEnds: readonly StoredFrontEnd[];
  /** Names without a service, left by a process that was killed. */
  readonly strayNames: readonly ServiceKeyValue[];
  /** The backends that existing flows may keep. */
  readonly members: readonly Member[];
  readonly settings: readonly Setting[];
  /** The filter's non-zero words by index. */
  readonly filter: ReadonlyMap<number, bigint>;
  /** Where the next allocation starts. */
  readonly allocation: { readonly nextSlot: number; readonly nextRevNatIndex: number };
  /** Capacity of the services map. */
  readonly serviceRoom: number;
  /** Capacity of the backends map. */
  readonly memberRoom: number;
  /** Size of the slots map. */
  readonly slotCount: number;
}

/** A key as text, to compare and look up. */
export function keyText({ address, port, protocol, scope }: ServiceKeyValue): string {
  return `${address}:${port}/${protocol}/${scope}`;
}

/** A member's key as text. */
export function memberText({ address, port, revNatIndex }: MemberKey): string {
  return `${revNatIndex}/${address}:${port}`;
}

/** Identifies the service of a front end: equal for all front ends of one service. */
export function serviceText({ key, name, value: { revNatIndex, range, affinityTimeout } }: StoredFrontEnd): string {
  return `${revNatIndex}/${key.protocol}/${range.base}/${range.count}/${affinityTimeout}/${name ?? ""}`;
}

/** A service as stored. */
export interface StoredService {
  /** Absent if the maps have none. */
  readonly name: string | undefined;
  readonly revNatIndex: number;
  readonly affinityTimeout: number;
  /** Size of its Maglev table. Absent: selection is random. */
  readonly maglevTableSize?: number;
  /** At least one. */
  readonly frontEnds: readonly StoredFrontEnd[];
  readonly backends: readonly BackendDefinition[];
}

/** The stored services, each with all its addresses, by ascending index. */
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
 * The stored backends: first those with slots, then those that only keep their
 * flows, then those that lose them. Outside of a Maglev table, a backend's
 * weight is the number of its slots.
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
 * A stored service as a definition. A service without a name is called by its
 * address. Undefined if its protocol is not balanced.
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
