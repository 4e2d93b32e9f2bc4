/** Which backends of a service take new flows, and which may keep those that they have. */
import { maglevTable } from "./maglev.ts";
import { backendStates, type BackendDefinition } from "../model/service.ts";
import type { Member, Setting, SlotValue } from "./state.ts";

/** Slots of one service at most. Weights far apart take many: 1 beside 1,000 takes 1,001. */
export const MAX_SLOTS_PER_SERVICE = 65_536;

/** Backends that take new flows: the active ones; where there are none, those that are terminating. */
export function backendsForNewFlows(backends: readonly BackendDefinition[]): readonly BackendDefinition[] {
  const active = backends.filter(({ state }) => state === "active");
  return active.length > 0 ? active : backends.filter(({ state }) => state === "terminating");
}

/** How many slots each of these backends gets: as their weights are to one another, and as few as can be. */
export function slotCounts(backends: readonly BackendDefinition[]): readonly number[] {
  const divisor = backends.reduce((gcd, { weight }) => greatestCommonDivisor(gcd, weight), 0);
  return backends.map(({ weight }) => weight / divisor);
}

/** How many slots a service takes. @param maglevTableSize of its Maglev table, where it has one */
export function slotsNeeded(backends: readonly BackendDefinition[], maglevTableSize?: number): number {
  const chosen = backendsForNewFlows(backends);
  if (chosen.length === 0 || maglevTableSize === undefined)
    return slotCounts(chosen).reduce((sum, count) => sum + count, 0);
  return maglevTableSize;
}

/**
 * What a service's slots hold. Their order matters in a Maglev table alone:
 * else they are chosen at random or by the socket's cookie.
 */
export function slotsOf(backends: readonly BackendDefinition[], maglevTableSize?: number): SlotValue[] {
  const chosen = backendsForNewFlows(backends);
  const slots = new Map(
    chosen.map((backend) => [
      backend,
      { address: backend.address, port: backend.port, state: backendStates[backend.state] },
    ]),
  );
  if (maglevTableSize !== undefined) return maglevTable(chosen, maglevTableSize).map((backend) => slots.get(backend)!);
  return slotCounts(chosen).flatMap((count, i) => new Array<SlotValue>(count).fill(slots.get(chosen[i]!)!));
}

/** The backends that flows may stay with. */
export function membersOf(backends: readonly BackendDefinition[], revNatIndex: number): Member[] {
  return backends
    .filter(({ state }) => state === "active" || state === "terminating")
    .map(({ address, port, state }) => [{ address, port, revNatIndex }, backendStates[state]]);
}

/** What the programs' maps do not tell of the backends: states without slots, weights in more than lowest terms. */
export function settingsOf(backends: readonly BackendDefinition[], revNatIndex: number): Setting[] {
  return backends
    .filter(({ state, weight }) => weight !== 1 || state === "quarantined" || state === "maintenance")
    .map(({ address, port, weight, state }) => [
      { address, port, revNatIndex },
      { weight, state: backendStates[state] },
    ]);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
