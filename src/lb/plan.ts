/**
 * From what the maps say to what they ought to say, without touching them.
 *
 * A service never changes in place: its backends go to fresh slots, then its
 * value is replaced in one write. The slots it had before are free again once
 * no program that may have read the old value runs any more. A backend is a
 * member of its service before it has a slot, and until it has none any more.
 * Where there is not room for old and new at once, the plan has several rounds.
 */
import { LoadBalancerError } from "./error.ts";
import { FreeRanges, type Range } from "./ranges.ts";
import { RevNatIndices } from "./rev-nat-indices.ts";
import { endpointText, ProtocolNumber, type Endpoint, type ServiceDefinition } from "./service.ts";
import { keyText, memberText, type Member, type MemberKey, type ServiceKeyValue, type ServiceValue, type SlotValue, type State, type StoredService } from "./state.ts";

/** Writes that may go together; they are made in the order of the fields. */
export interface Round {
  readonly slots: readonly (readonly [index: number, value: SlotValue])[];
  readonly members: readonly Member[];
  readonly names: readonly (readonly [key: ServiceKeyValue, name: string])[];
  readonly services: readonly (readonly [key: ServiceKeyValue, value: ServiceValue])[];
  readonly removedServices: readonly ServiceKeyValue[];
  readonly removedNames: readonly ServiceKeyValue[];
  readonly removedMembers: readonly MemberKey[];
  /** Where allocation goes on after this round. */
  readonly allocation: State["allocation"];
}

export interface Plan {
  /** After each, none may be left of the programs that ran before it. */
  readonly rounds: readonly Round[];
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  readonly unchanged: number;
}

/** The base of a service without backends: no slot, so that it never equals the base of a flow. */
export const NO_SLOTS = 0xffff_ffff;

/** A slot's state: takes new connections. */
const ACTIVE = 0;

/** A service that gets other slots. */
interface Move {
  readonly service: ServiceDefinition;
  readonly revNatIndex: number;
  readonly backends: readonly Endpoint[];
  /** Those among its backends' members that are not there yet, or say something else. */
  readonly members: readonly Member[];
}

/**
 * Plans the way from `state` to exactly the services of `desired`.
 * @throws {LoadBalancerError} where the maps have not room for it
 */
export function planServices(state: State, desired: readonly ServiceDefinition[]): Plan {
  if (desired.length > state.serviceRoom) {
    throw new LoadBalancerError(`cannot hold ${desired.length} services: map services has room for ${state.serviceRoom}`, {
      hint: "nothing was changed; unload, set maps.services larger, and load again",
    });
  }
  const stored = new Map(state.services.map((service) => [keyText(service.key), service]));
  const wanted = new Map(desired.map((service) => [keyText(keyOf(service)), service]));
  const removed = state.services.filter(({ key }) => !wanted.has(keyText(key)));
  const kept = state.services.filter(({ key }) => wanted.has(keyText(key)));

  const sound = soundServices(kept, state.slotCount);
  const indices = new RevNatIndices(kept, state.allocation.nextRevNatIndex);
  const names: Round["names"][number][] = [];
  const values: Round["services"][number][] = [];
  const members: Member[] = [];
  const moves: Move[] = [];
  const storedMembers = new Map(state.members.map((member) => [memberText(member[0]), member]));
  const staleMembers = new Map(storedMembers);
  let added = 0;
  let changed = 0;
  for (const [text, service] of wanted) {
    const current = stored.get(text);
    const revNatIndex = indices.of(text);
    const missing: Member[] = [];
    for (const { address, port } of service.backends) {
      const key = { address, port, revNatIndex };
      staleMembers.delete(memberText(key));
      if (storedMembers.get(memberText(key))?.[1] !== ACTIVE) missing.push([key, ACTIVE]);
    }
    if (current?.name !== service.name) names.push([keyOf(service), service.name]);
    if (current === undefined) {
      added++;
      moves.push({ service, revNatIndex, backends: service.backends, members: missing });
    } else if (!sound.has(current) || !sameBackends(current.backends, service.backends)) {
      changed++;
      moves.push({ service, revNatIndex, backends: arrangeBackends(current.backends, service.backends), members: missing });
    } else {
      const value = serviceValue(current.key, current.value.range, revNatIndex);
      const equal = sameValue(current.value, value);
      if (!equal) values.push([current.key, value]);
      members.push(...missing);
      if (!equal || current.name !== service.name || missing.length > 0) changed++;
    }
  }
  const strayNames = [
    ...removed.filter(({ name }) => name !== undefined).map(({ key }) => key),
    ...state.strayNames.filter((key) => !wanted.has(keyText(key))),
  ];
  const rounds = planRounds(state, {
    names, values, members, moves, removed: removed.map(({ key }) => key), strayNames, staleMembers: Array.from(staleMembers.values(), ([key]) => key),
  }, indices.next);
  return { rounds, added, changed, removed: removed.length, unchanged: wanted.size - added - changed };
}

interface Work {
  readonly names: Round["names"];
  readonly values: Round["services"];
  readonly members: readonly Member[];
  readonly moves: readonly Move[];
  readonly removed: readonly ServiceKeyValue[];
  readonly strayNames: readonly ServiceKeyValue[];
  readonly staleMembers: readonly MemberKey[];
}

const emptyRound = { slots: [], members: [], names: [], services: [], removedServices: [], removedNames: [], removedMembers: [] };

/** As few rounds as the room in the maps allows; everything that needs no room is in the first. */
function planRounds(state: State, work: Work, nextRevNatIndex: number): Round[] {
  if (Object.values(work).every((part) => part.length === 0)) return [];
  const rounds: Round[] = [];
  const occupied = new Map<string, Range>(state.services.map(({ key, value }) => [keyText(key), value.range]));
  const indexOf = new Map(state.services.map(({ key, value }) => [keyText(key), value.revNatIndex]));
  const memberTexts = new Set(state.members.map(([key]) => memberText(key)));
  let { staleMembers } = work;
  let { nextSlot } = state.allocation;
  // The large ones first, while there are long rows of free slots.
  let moves: readonly Move[] = work.moves.toSorted((a, b) => b.backends.length - a.backends.length);
  let first = true;
  // Additions come before removals, so that what only moves is never gone, unless the map cannot hold both.
  if (occupied.size + work.moves.filter(({ service }) => !occupied.has(keyText(keyOf(service)))).length > state.serviceRoom) {
    for (const key of work.removed) occupied.delete(keyText(key));
    rounds.push({ ...emptyRound, removedServices: work.removed, removedNames: work.strayNames, allocation: state.allocation });
    work = { ...work, removed: [], strayNames: [] };
  }
  do {
    const free = new FreeRanges(state.slotCount, [...occupied.values()], nextSlot);
    const slots: Round["slots"][number][] = [];
    const services = first ? [...work.values] : [];
    const members = first ? [...work.members] : [];
    for (const [key] of members) memberTexts.add(memberText(key));
    const removedServices = first ? work.removed : [];
    const waiting: Move[] = [];
    for (const move of moves) {
      const joining = move.members.filter(([key]) => !memberTexts.has(memberText(key))).length;
      const range = memberTexts.size + joining > state.memberRoom ? undefined
        : move.backends.length === 0 ? { base: NO_SLOTS, count: 0 } : free.take(move.backends.length);
      if (range === undefined) {
        waiting.push(move);
        continue;
      }
      const key = keyOf(move.service);
      move.backends.forEach(({ address, port }, i) => slots.push([range.base + i, { address, port, state: ACTIVE }]));
      for (const member of move.members) {
        members.push(member);
        memberTexts.add(memberText(member[0]));
      }
      services.push([key, serviceValue(key, range, move.revNatIndex)]);
      occupied.set(keyText(key), range);
    }
    // A backend may go once the service that had it has its new ones.
    const busy = new Set(waiting.map(({ service }) => indexOf.get(keyText(keyOf(service)))));
    const removedMembers = staleMembers.filter(({ revNatIndex }) => !busy.has(revNatIndex));
    staleMembers = staleMembers.filter(({ revNatIndex }) => busy.has(revNatIndex));
    if (waiting.length > 0 && waiting.length === moves.length && removedServices.length === 0 && removedMembers.length === 0) {
      throw noRoom(waiting[0]!, work.moves, free, state, memberTexts.size);
    }
    for (const key of removedMembers) memberTexts.delete(memberText(key));
    for (const key of removedServices) occupied.delete(keyText(key));
    nextSlot = free.next;
    rounds.push({
      slots, members, services, removedServices, removedMembers,
      names: first ? work.names : [],
      removedNames: first ? work.strayNames : [],
      allocation: { nextSlot, nextRevNatIndex },
    });
    moves = waiting;
    first = false;
  } while (moves.length > 0);
  return rounds;
}

/** Those whose slots exist and are nobody else's. */
function soundServices(services: readonly StoredService[], slotCount: number): ReadonlySet<StoredService> {
  const sound = new Set<StoredService>();
  let end = 0;
  for (const service of [...services].sort((a, b) => a.value.range.base - b.value.range.base)) {
    const { base, count } = service.value.range;
    if (count > 0 && (base < end || base + count > slotCount)) continue;
    sound.add(service);
    if (count > 0) end = base + count;
  }
  return sound;
}

function keyOf({ address, port, protocol }: ServiceDefinition): ServiceKeyValue {
  return { address, port, protocol: ProtocolNumber[protocol], scope: 0 };
}

function serviceValue(key: ServiceKeyValue, { base, count }: Range, revNatIndex: number): ServiceValue {
  return { key, range: { base, count }, revNatIndex, flags: 0, affinityTimeout: 0 };
}

function sameValue(a: ServiceValue, b: ServiceValue): boolean {
  return keyText(a.key) === keyText(b.key) && a.range.base === b.range.base && a.range.count === b.range.count && a.revNatIndex === b.revNatIndex
    && a.flags === b.flags && a.affinityTimeout === b.affinityTimeout;
}

/** The order does not matter: backends are chosen at random or by the socket's cookie. */
function sameBackends(stored: readonly SlotValue[], wanted: readonly Endpoint[]): boolean {
  const set = new Set(wanted.map(endpointText));
  return stored.length === set.size && stored.every((slot) => slot.state === ACTIVE && set.has(endpointText(slot)));
}

/**
 * The wanted backends, those that stay at their old place in the range where
 * that still exists: a choice by cookie modulo count then meets as few changes as can be.
 */
function arrangeBackends(stored: readonly SlotValue[], wanted: readonly Endpoint[]): Endpoint[] {
  const fresh = new Map(wanted.map((backend) => [endpointText(backend), backend]));
  const places = stored.slice(0, wanted.length).map((slot) => {
    const text = endpointText(slot);
    const backend = fresh.get(text);
    fresh.delete(text);
    return backend;
  });
  const rest = fresh.values();
  return Array.from({ length: wanted.length }, (_, i) => places[i] ?? (rest.next().value as Endpoint));
}

function noRoom(move: Move, moves: readonly Move[], free: FreeRanges, { slotCount, memberRoom }: State, memberCount: number): LoadBalancerError {
  if (memberCount + move.members.length > memberRoom) {
    return new LoadBalancerError(
      `cannot give service ${JSON.stringify(move.service.name)} ${move.members.length} more backends: map backends has room for ${memberRoom}, ` +
      `${memberCount} are there, and a service that changes needs its new ones beside the old ones`,
      { hint: "nothing was changed; unload and load again, or set maps.backends larger" },
    );
  }
  const wanted = move.backends.length;
  const what = `cannot give service ${JSON.stringify(move.service.name)} ${wanted} slots`;
  const fragmented = free.total >= wanted;
  return new LoadBalancerError(
    fragmented
      ? `${what} in a row: of ${slotCount}, ${free.total} are free, but scattered in rows of at most ${free.largest}`
      : `${what}: of ${slotCount}, ${free.total} are free, and a service that changes needs its new slots beside the old ones`,
    { hint: `nothing was changed; unload and load again (${moves.length === 1 ? "one service is" : `${moves.length} services are`} to be placed), or set maps.slots larger` },
  );
}
