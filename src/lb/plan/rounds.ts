/**
 * The order in which the maps are written.
 *
 * A service never changes in place. Its backends go to fresh slots, then one
 * write replaces its value. Its old slots are free once every program that may
 * have read the old value has ended. A backend is a member of its service
 * before it has a slot and until it has none. If the maps cannot hold the old
 * and the new at once, the change takes several rounds.
 */
import { LoadBalancerError } from "../model/index.ts";
import { FreeRanges, type Range } from "./ranges.ts";
import {
  keyText,
  memberText,
  type Member,
  type MemberKey,
  type ServiceKeyValue,
  type ServiceValue,
  type Setting,
  type SlotValue,
  type State,
} from "./state.ts";

/** Writes that need no wait between them, made in the order of the fields. */
export interface Round {
  readonly slots: readonly (readonly [index: number, value: SlotValue])[];
  readonly members: readonly Member[];
  readonly settings: readonly Setting[];
  readonly names: readonly (readonly [key: ServiceKeyValue, name: string])[];
  readonly services: readonly (readonly [key: ServiceKeyValue, value: ServiceValue])[];
  readonly removedServices: readonly ServiceKeyValue[];
  readonly removedNames: readonly ServiceKeyValue[];
  readonly removedMembers: readonly MemberKey[];
  readonly removedSettings: readonly MemberKey[];
  /** Where allocation continues after this round. */
  readonly allocation: State["allocation"];
}

/** The base of a service without slots: outside of the map, so that no other service has it. */
export const NO_SLOTS = 0xffff_ffff;

/** A service that gets new slots or new members. */
export interface Move {
  readonly name: string;
  /** The values that change, without their range. */
  readonly frontEnds: readonly Omit<ServiceValue, "range">[];
  readonly slots: readonly SlotValue[];
  /** Where its slots are. Absent: they are written to fresh ones. */
  readonly range?: Range | undefined;
  /** The members that are missing or differ. */
  readonly members: readonly Member[];
  /** The current indices of front ends that change. Members under them stay until the service has moved. */
  readonly indicesBefore: readonly number[];
}

export interface Work {
  readonly moves: readonly Move[];
  /** Values of services that keep their slots and members. */
  readonly values: Round["services"];
  readonly settings: readonly Setting[];
  readonly names: Round["names"];
  readonly removed: readonly ServiceKeyValue[];
  readonly strayNames: readonly ServiceKeyValue[];
  readonly staleMembers: readonly MemberKey[];
  readonly staleSettings: readonly MemberKey[];
}

const emptyRound = {
  slots: [],
  members: [],
  settings: [],
  names: [],
  services: [],
  removedServices: [],
  removedNames: [],
  removedMembers: [],
  removedSettings: [],
};

/**
 * Plans as few rounds as the maps' capacity allows. The first round does everything that needs no room.
 * @throws {LoadBalancerError} if the maps cannot hold the change
 */
export function planRounds(state: State, work: Work, nextRevNatIndex: number): Round[] {
  if (Object.values(work).every((part: readonly unknown[]) => part.length === 0)) return [];
  const rounds: Round[] = [];
  const occupied = new Map<string, Range>(state.frontEnds.map(({ key, value }) => [keyText(key), value.range]));
  const memberTexts = new Set(state.members.map(([key]) => memberText(key)));
  let { staleMembers } = work;
  let { nextSlot } = state.allocation;
  // Large moves first, while long free rows exist.
  let moves: readonly Move[] = work.moves.toSorted((a, b) => b.slots.length - a.slots.length);
  let first = true;
  // Additions come first, so that what moves never disappears, unless the map cannot hold both.
  const keys = [
    ...work.values.map(([key]) => key),
    ...work.moves.flatMap(({ frontEnds }) => frontEnds.map(({ key }) => key)),
  ];
  if (occupied.size + keys.filter((key) => !occupied.has(keyText(key))).length > state.serviceRoom) {
    for (const key of work.removed) occupied.delete(keyText(key));
    rounds.push({
      ...emptyRound,
      removedServices: work.removed,
      removedNames: work.strayNames,
      allocation: state.allocation,
    });
    work = { ...work, removed: [], strayNames: [] };
  }
  do {
    const free = new FreeRanges(state.slotCount, [...occupied.values()], nextSlot);
    const slots: Round["slots"][number][] = [];
    const services = first ? [...work.values] : [];
    const members: Member[] = [];
    const removedServices = first ? work.removed : [];
    const waiting: Move[] = [];
    for (const move of moves) {
      const range =
        joining(move, memberTexts) > state.memberRoom - memberTexts.size
          ? undefined
          : (move.range ?? takeSlots(free, move.slots.length));
      if (range === undefined) {
        waiting.push(move);
        continue;
      }
      if (move.range === undefined) move.slots.forEach((slot, i) => slots.push([range.base + i, slot]));
      for (const member of move.members) {
        members.push(member);
        memberTexts.add(memberText(member[0]));
      }
      for (const frontEnd of move.frontEnds) {
        services.push([frontEnd.key, { ...frontEnd, range }]);
      }
    }
    // A backend is removed after its former service has its new ones.
    const busy = new Set(waiting.flatMap(({ indicesBefore }) => indicesBefore));
    const removedMembers = staleMembers.filter(({ revNatIndex }) => !busy.has(revNatIndex));
    staleMembers = staleMembers.filter(({ revNatIndex }) => busy.has(revNatIndex));
    if (
      waiting.length > 0 &&
      waiting.length === moves.length &&
      removedServices.length === 0 &&
      removedMembers.length === 0
    ) {
      throw noRoom(waiting[0]!, work.moves, free, state, memberTexts);
    }
    for (const key of removedMembers) memberTexts.delete(memberText(key));
    for (const key of removedServices) occupied.delete(keyText(key));
    for (const [key, { range }] of services) occupied.set(keyText(key), range);
    nextSlot = free.next;
    rounds.push({
      ...emptyRound,
      slots,
      members,
      services,
      removedServices,
      removedMembers,
      ...(first && {
        settings: work.settings,
        names: work.names,
        removedNames: work.strayNames,
        removedSettings: work.staleSettings,
      }),
      allocation: { nextSlot, nextRevNatIndex },
    });
    moves = waiting;
    first = false;
  } while (moves.length > 0);
  return rounds;
}

function takeSlots(free: FreeRanges, count: number): Range | undefined {
  return count === 0 ? { base: NO_SLOTS, count: 0 } : free.take(count);
}

/** The number of members that a move adds. */
function joining({ members }: Move, there: ReadonlySet<string>): number {
  return members.filter(([key]) => !there.has(memberText(key))).length;
}

function noRoom(
  move: Move,
  moves: readonly Move[],
  free: FreeRanges,
  { slotCount, memberRoom }: State,
  members: ReadonlySet<string>,
): LoadBalancerError {
  const name = JSON.stringify(move.name);
  const more = joining(move, members);
  if (members.size + more > memberRoom) {
    return new LoadBalancerError(
      `cannot add ${more} backends to service ${name}: map backends holds ${members.size} of at most ${memberRoom}, ` +
        `and a service that changes needs its new backends beside the old ones`,
      { hint: "nothing was changed; unload and load again, or increase maps.backends" },
    );
  }
  const wanted = move.slots.length;
  const what = `cannot allocate ${wanted} slots for service ${name}`;
  return new LoadBalancerError(
    free.total >= wanted
      ? `${what} in a row: ${free.total} of ${slotCount} are free, in rows of at most ${free.largest}`
      : `${what}: ${free.total} of ${slotCount} are free, ` +
          "and a service that changes needs its new slots beside the old ones",
    {
      hint:
        "nothing was changed; unload and load again " +
        `(${moves.length === 1 ? "1 service moves" : `${moves.length} services move`}), or increase maps.slots`,
    },
  );
}
