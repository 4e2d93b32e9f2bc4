/**
 * From what the maps of an address family say to what they ought to say,
 * without touching them: what each service needs. `planRounds` puts it in order.
 */
import { planFilter, type FilterPlan } from "./filter.ts";
import { membersOf, settingsOf, slotsOf } from "./backend-slots.ts";
import type { PlannedIndices } from "../apply/counters.ts";
import { LoadBalancerError } from "../model/error.ts";
import type { Range } from "./ranges.ts";
import { RevNatIndices } from "./rev-nat-indices.ts";
import { planRounds, type Move, type Round } from "./rounds.ts";
import { endpointText, ProtocolNumber, type FrontEnd, type ServiceDefinition } from "../model/service.ts";
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
  /** After each, none may be left of the programs that ran before it. */
  readonly rounds: readonly Round[];
  /** Wider before the first of them, narrower after the last. */
  readonly filter: FilterPlan;
  /** The services' indices. */
  readonly indices: PlannedIndices;
}

/** How many services there are of which something becomes. */
export interface Outcome {
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  readonly unchanged: number;
}

/**
 * Plans the way from `state` to exactly the services of `desired`, all of the
 * state's address family, no two with a front end in common.
 * @throws {LoadBalancerError} where the maps have not room for it
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

  const sound = soundFrontEnds([...currents.values()], state.slotCount);
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
    const place = current.find((frontEnd) => sound.has(frontEnd) && sameSlots(frontEnd.slots, slots, ordered));
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

/** What becomes of each service; one of which a part stands, comes or goes beside the others is changed. */
class Outcomes {
  readonly #named = new Map<string, keyof Outcome>();
  readonly #nameless = new Set<string>();

  note(name: string, outcome: "added" | "changed" | "unchanged"): void {
    this.#named.set(name, (this.#named.get(name) ?? outcome) === outcome ? outcome : "changed");
  }

  /** Of those that are wanted, all have been noted before. */
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

/** What is to be written to a map and what is to be taken away, entry by entry. */
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

  /** Those of the wanted entries that are not stored, or differ. */
  missing(wanted: readonly T[]): T[] {
    return wanted.filter((entry) => {
      const text = this.#textOf(entry);
      this.#stale.delete(text);
      const stored = this.#stored.get(text);
      return stored === undefined || !this.#same(stored, entry);
    });
  }

  /** The stored entries that nobody has wanted. */
  stale(): T[] {
    return [...this.#stale.values()];
  }
}

/** Those whose slots exist and are of no other service. */
function soundFrontEnds(
  services: readonly (readonly StoredFrontEnd[])[],
  slotCount: number,
): ReadonlySet<StoredFrontEnd> {
  const sound = new Set<StoredFrontEnd>();
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
    sound.add(frontEnd);
  }
  return sound;
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

/** @param ordered whether the order matters: of a Maglev table it does; else slots are chosen at random or by the socket's cookie */
function sameSlots(stored: readonly SlotValue[], wanted: readonly SlotValue[], ordered: boolean): boolean {
  if (stored.length !== wanted.length) return false;
  const same = stored.every(
    ({ address, port, state }, i) =>
      address === wanted[i]!.address && port === wanted[i]!.port && state === wanted[i]!.state,
  );
  return same || (!ordered && stored.map(slotText).sort().join() === wanted.map(slotText).sort().join());
}

/**
 * The wanted slots, backends that stay at their old place in the range where
 * that still exists: a choice by the socket then meets as few changes as can be.
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
  const what = frontEnds === services ? `${services} services` : `${services} services under ${frontEnds} addresses`;
  return new LoadBalancerError(`cannot hold ${what}: map services has room for ${serviceRoom}`, {
    hint: "nothing was changed; unload, set maps.services larger, and load again",
  });
}
