/**
 * In which order the maps are written.
 *
 * A service never changes in place: its backends go to fresh slots, then its
 * value is replaced in one write. The slots it had before are free again once
 * no program that may have read the old value runs any more. A backend is a
 * member of its service before it has a slot, and until it has none any more.
 * Where there is not room for old and new at once, it takes several rounds.
 */
import { LoadBalancerError } from "../model/error.ts";
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

/** Writes that may go together; they are made in the order of the fields. */
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
  /** Where allocation goes on after this round. */
  readonly allocation: State["allocation"];
}

/** The base of a service without slots: of none, so that it is never taken for another's. */
export const NO_SLOTS = 0xffff_ffff;

/** A service that gets other slots, or more members. */
export interface Move {
  readonly name: string;
  /** Those of its values that change, but for the range. */
  readonly frontEnds: readonly Omit<ServiceValue, "range">[];
  readonly slots: readonly SlotValue[];
  /** Where the slots are; absent where they are to be written anew. */
  readonly range?: Range | undefined;
  /** Those of its members that are not there yet, or say something else. */
  readonly members: readonly Member[];
  /** What its front ends have now, where they change: members under these are needed until it has moved. */
  readonly indicesBefore: readonly number[];
}

export interface Work {
  readonly moves: readonly Move[];
  /** Of services that keep their slots and members. */
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
 * As few rounds as the room in the maps allows; everything that needs no room is in the first.
 * @throws {LoadBalancerError} where there is not room for it
 */
export function planRounds(state: State, work: Work, nextRevNatIndex: number): Round[] {
  if (Object.values(work).every((part: readonly unknown[]) => part.length === 0)) return [];
  const rounds: Round[] = [];
  const occupied = new Map<string, Range>(state.frontEnds.map(({ key, value }) => [keyText(key), value.range]));
  const memberTexts = new Set(state.members.map(([key]) => memberText(key)));
  let { staleMembers } = work;
  let { nextSlot } = state.allocation;
  // The large ones first, while there are long rows of free slots.
  let moves: readonly Move[] = work.moves.toSorted((a, b) => b.slots.length - a.slots.length);
  let first = true;
  // Additions come before removals, so that what only moves is never gone, unless the map cannot hold both.
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
    // A backend may go once the service that had it has its new ones.
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

/** How many members a move adds. */
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
      `cannot give service ${name} ${more} more backends: map backends has room for ${memberRoom}, ` +
        `${members.size} are there, and a service that changes needs its new ones beside the old ones`,
      { hint: "nothing was changed; unload and load again, or set maps.backends larger" },
    );
  }
  const wanted = move.slots.length;
  const what = `cannot give service ${name} ${wanted} slots`;
  return new LoadBalancerError(
    free.total >= wanted
      ? `${what} in a row: of ${slotCount}, ${free.total} are free, but scattered in rows of at most ${free.largest}`
      : `${what}: of ${slotCount}, ${free.total} are free, and a service that changes needs its new slots beside the old ones`,
    {
      hint: `nothing was changed; unload and load again (${moves.length === 1 ? "one service is" : `${moves.length} services are`} to be placed), or set maps.slots larger`,
    },
  );
}
