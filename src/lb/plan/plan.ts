/**
 * Plans the way from what the maps of an address family hold to what they
 * should hold: what each service needs. `planRounds` puts it in order. Nothing
 * here touches a map.
 */
import {
  endpointText,
  LoadBalancerError,
  ProtocolNumber,
  type FrontEnd,
  type ServiceDefinition,
} from "../model/index.ts";
import { membersOf, settingsOf, slotsOf } from "./backend-slots.ts";
import { planFilter, type FilterPlan } from "./filter.ts";
import type { Range } from "./ranges.ts";
import { RevNatIndices } from "./rev-nat-indices.ts";
import { planRounds, type Move, type Round } from "./rounds.ts";
import {
  keyText,
  memberText,
  serviceText,
  type Setting,
  type ServiceKeyValue,
  type ServiceValue,
  type SlotValue,
  type State,
  type StoredFrontEnd,
} from "./state.ts";

export interface Plan extends Outcome {
  /** After each round, wait until the programs that were running have ended. */
  readonly rounds: readonly Round[];
  /** `wider` is written before the first round, `narrower` after the last. */
  readonly filter: FilterPlan;
  readonly indices: PlannedIndices;
}

/** The indices of the desired services. */
export interface PlannedIndices {
  /** Indices of services that were stored before. */
  readonly kept: readonly number[];
  /** Indices of new services. A former service may have had the same index. */
  readonly taken: readonly number[];
}

/** Services added, changed, removed and unchanged. */
export interface Outcome {
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  readonly unchanged: number;
}

/**
 * Plans the way from `state` to exactly the `desired` services.
 * @param desired services of the state's address family, no two with a common front end
 * @throws {LoadBalancerError} if the maps cannot hold them
 */
export function planServices(state: State, desired: readonly ServiceDefinition[]): Plan {
  const wanted = new Set(
    desired.flatMap((service) => service.frontEnds.map((frontEnd) => keyText(keyOf(service, frontEnd)))),
  );
  if (wanted.size > state.serviceRoom) throw tooManyServices(state, desired.length, wanted.size);
  const stored = new Map(state.frontEnds.map((frontEnd) => [keyText(frontEnd.key), frontEnd]));
  const currents = new Map(
    desired.map((service) => [
      service,
      service.frontEnds
        .map((frontEnd) => stored.get(keyText(keyOf(service, frontEnd))))
        .filter((found) => found !== undefined),
    ]),
  );
  const removed = state.frontEnds.filter(({ key }) => !wanted.has(keyText(key)));

  const valid = validFrontEnds([...currents.values()], state.slotCount);
  const indices = new RevNatIndices(state.allocation.nextRevNatIndex);
  const kept = new Map(
    desired.map((service) => [
      service,
      indices.keep([service.revNatIndex ?? 0, ...currents.get(service)!.map(({ value }) => value.revNatIndex)]),
    ]),
  );

  const taken: number[] = [];
  const lost = new Set<number | undefined>(removed.map(({ value }) => value.revNatIndex));

  const names: Round["names"][number][] = [];
  const values: Round["services"][number][] = [];
  const moves: Move[] = [];
  const members = new Difference(
    state.members,
    ([key]) => memberText(key),
    (a, b) => a[1] === b[1],
  );
  const settings = new Difference(
    state.settings,
    ([key]) => memberText(key),
    (a, b) => a[1].weight === b[1].weight && a[1].state === b[1].state,
  );
  const missingSettings: Setting[] = [];
  const outcomes = new Outcomes();
  for (const service of desired) {
    const current = currents.get(service)!;
    let revNatIndex = kept.get(service);
    if (revNatIndex === undefined) taken.push((revNatIndex = indices.take()));
    const named = service.frontEnds
      .map((frontEnd) => keyOf(service, frontEnd))
      .filter((key) => stored.get(keyText(key))?.name !== service.name);
    for (const key of named) names.push([key, service.name]);
    const newMembers = members.missing(membersOf(service.backends, revNatIndex));
    const newSettings = settings.missing(settingsOf(service.backends, revNatIndex));
    for (const setting of newSettings) missingSettings.push(setting);
    const slots = slotsOf(service.backends, service.maglevTableSize);
    const ordered = service.maglevTableSize !== undefined;
    const place = current.find((frontEnd) => valid.has(frontEnd) && sameSlots(frontEnd.slots, slots, ordered));
    const frontEnds = service.frontEnds.map((frontEnd) => frontEndValue(service, frontEnd, revNatIndex));
    let touched = named.length > 0 || newMembers.length > 0 || newSettings.length > 0;
    if (place === undefined) {
      touched = true;
      moves.push({
        name: service.name,
        frontEnds,
        members: newMembers,
        slots: ordered ? slots : arrangeSlots(current[0]?.slots ?? [], slots),
        indicesBefore: current.map(({ value }) => value.revNatIndex),
      });
    } else {
      const { range } = place.value;
      const different = frontEnds
        .map(({ key, ...rest }) => [key, { ...rest, key, range }] as const)
        .filter(([key, value]) => !sameValue(stored.get(keyText(key))?.value, value));
      if (newMembers.length === 0) {
        values.push(...different);
      } else {
        moves.push({
          name: service.name,
          frontEnds: different.map(([, value]) => value),
          slots,
          range,
          members: newMembers,
          indicesBefore: different.length === 0 ? [] : current.map(({ value }) => value.revNatIndex),
        });
      }
      touched ||= different.length > 0 || lost.has(kept.get(service));
    }
    outcomes.note(service.name, current.length === 0 ? "added" : touched ? "changed" : "unchanged");
  }
  const remaining = new Set([...currents.values()].flat().map(serviceText));
  for (const frontEnd of removed) if (!remaining.has(serviceText(frontEnd))) outcomes.remove(frontEnd);
  const rounds = planRounds(
    state,
    {
      names,
      values,
      moves,
      settings: missingSettings,
      removed: removed.map(({ key }) => key),
      strayNames: [
        ...removed.filter(({ name }) => name !== undefined).map(({ key }) => key),
        ...state.strayNames.filter((key) => !wanted.has(keyText(key))),
      ],
      staleMembers: members.stale().map(([key]) => key),
      staleSettings: settings.stale().map(([key]) => key),
    },
    indices.next,
  );
  const planned = { kept: [...kept.values()].filter((index) => index !== undefined), taken };
  return { rounds, filter: planFilter(state, desired), indices: planned, ...outcomes.counts() };
}

/** Counts what happens to each service. A service whose parts differ in that is changed. */
class Outcomes {
  readonly #named = new Map<string, keyof Outcome>();
  readonly #nameless = new Set<string>();

  note(name: string, outcome: "added" | "changed" | "unchanged"): void {
    this.#named.set(name, (this.#named.get(name) ?? outcome) === outcome ? outcome : "changed");
  }

  /** Call this after all desired services are noted. */
  remove(frontEnd: StoredFrontEnd): void {
    const { name } = frontEnd;
    if (name === undefined) this.#nameless.add(serviceText(frontEnd));
    else this.#named.set(name, (this.#named.get(name) ?? "removed") === "removed" ? "removed" : "changed");
  }

  counts(): Outcome {
    const counts = { added: 0, changed: 0, removed: this.#nameless.size, unchanged: 0 };
    for (const outcome of this.#named.values()) counts[outcome]++;
    return counts;
  }
}

/** The entries of a map to write and to delete. */
class Difference<T> {
  readonly #stored: ReadonlyMap<string, T>;
  readonly #stale: Map<string, T>;
  readonly #textOf: (entry: T) => string;
  readonly #same: (a: T, b: T) => boolean;

  constructor(stored: readonly T[], textOf: (entry: T) => string, same: (a: T, b: T) => boolean) {
    this.#stored = new Map(stored.map((entry) => [textOf(entry), entry]));
    this.#stale = new Map(this.#stored);
    this.#textOf = textOf;
    this.#same = same;
  }

  /** The wanted entries that are not stored or differ. */
  missing(wanted: readonly T[]): T[] {
    return wanted.filter((entry) => {
      const text = this.#textOf(entry);
      this.#stale.delete(text);
      const stored = this.#stored.get(text);
      return stored === undefined || !this.#same(stored, entry);
    });
  }

  /** The stored entries that were never wanted. */
  stale(): T[] {
    return [...this.#stale.values()];
  }
}

/** The front ends whose slots exist and belong to no other service. */
function validFrontEnds(
  services: readonly (readonly StoredFrontEnd[])[],
  slotCount: number,
): ReadonlySet<StoredFrontEnd> {
  const valid = new Set<StoredFrontEnd>();
  const all = services.flatMap((frontEnds, service) => frontEnds.map((frontEnd) => ({ frontEnd, service })));
  let last: { readonly service: number; readonly range: Range } | undefined;
  for (const { frontEnd, service } of all.sort((a, b) => a.frontEnd.value.range.base - b.frontEnd.value.range.base)) {
    const { range } = frontEnd.value;
    if (range.count > 0) {
      const shared = last?.service === service && last.range.base === range.base && last.range.count === range.count;
      if (!shared && last !== undefined && range.base < last.range.base + last.range.count) continue;
      if (range.base + range.count > slotCount) continue;
      last = { service, range };
    }
    valid.add(frontEnd);
  }
  return valid;
}

function keyOf({ protocol }: ServiceDefinition, { address, port, scope }: FrontEnd): ServiceKeyValue {
  return { address, port, protocol: ProtocolNumber[protocol], scope };
}

function frontEndValue(
  service: ServiceDefinition,
  frontEnd: FrontEnd,
  revNatIndex: number,
): Omit<ServiceValue, "range"> {
  return {
    key: keyOf(service, frontEnd),
    revNatIndex,
    flags: frontEnd.flags,
    affinityTimeout: service.affinityTimeout,
  };
}

function sameValue(a: ServiceValue | undefined, b: ServiceValue): boolean {
  return (
    a !== undefined &&
    keyText(a.key) === keyText(b.key) &&
    a.range.base === b.range.base &&
    a.range.count === b.range.count &&
    a.revNatIndex === b.revNatIndex &&
    a.flags === b.flags &&
    a.affinityTimeout === b.affinityTimeout
  );
}

const slotText = (slot: SlotValue): string => `${endpointText(slot)} ${slot.state}`;

/** @param ordered whether the order matters, as in a Maglev table */
function sameSlots(stored: readonly SlotValue[], wanted: readonly SlotValue[], ordered: boolean): boolean {
  if (stored.length !== wanted.length) return false;
  const same = stored.every(
    ({ address, port, state }, i) =>
      address === wanted[i]!.address && port === wanted[i]!.port && state === wanted[i]!.state,
  );
  return same || (!ordered && stored.map(slotText).sort().join() === wanted.map(slotText).sort().join());
}

/**
 * Orders the wanted slots so that backends that stay keep their place in the
 * range. A selection by the socket's cookie then changes as rarely as possible.
 */
function arrangeSlots(stored: readonly SlotValue[], wanted: readonly SlotValue[]): SlotValue[] {
  const fresh = new Map<string, SlotValue[]>();
  for (const slot of wanted) {
    const same = fresh.get(endpointText(slot));
    if (same === undefined) fresh.set(endpointText(slot), [slot]);
    else same.push(slot);
  }
  const places = stored.slice(0, wanted.length).map((slot) => fresh.get(endpointText(slot))?.pop());
  const rest = [...fresh.values()].flat().values();
  return Array.from({ length: wanted.length }, (_, i) => places[i] ?? (rest.next().value as SlotValue));
}

function tooManyServices({ serviceRoom }: State, services: number, frontEnds: number): LoadBalancerError {
  const what = frontEnds === services ? `${services} services` : `${services} services with ${frontEnds} addresses`;
  return new LoadBalancerError(`cannot hold ${what}: map services has room for ${serviceRoom}`, {
    hint: "nothing was changed; unload, increase maps.services, and load again",
  });
}
