/** The number of slots for a service's backends. */
import type { BackendDefinition } from "./service.ts";

/** The most slots of one service. Weights far apart take many: 1 beside 1,000 takes 1,001. */
export const MAX_SLOTS_PER_SERVICE = 65_536;

/** The sizes of a Maglev table that Cilium offers: primes, each about twice the one before. */
export const MAGLEV_TABLE_SIZES = [251, 509, 1021, 2039, 4093, 8191, 16_381, 32_749, 65_521] as const;

/** The backends that take new flows: the active ones, or else the terminating ones. */
export function backendsForNewFlows(backends: readonly BackendDefinition[]): readonly BackendDefinition[] {
  const active = backends.filter(({ state }) => state === "active");
  return active.length > 0 ? active : backends.filter(({ state }) => state === "terminating");
}

/** The number of slots of each backend: the weights in lowest terms. */
export function slotCounts(backends: readonly BackendDefinition[]): readonly number[] {
  const divisor = backends.reduce((gcd, { weight }) => greatestCommonDivisor(gcd, weight), 0);
  return backends.map(({ weight }) => weight / divisor);
}

/** The number of slots of a service. @param maglevTableSize the size of its Maglev table, if it has one */
export function slotsNeeded(backends: readonly BackendDefinition[], maglevTableSize?: number): number {
  const chosen = backendsForNewFlows(backends);
  if (chosen.length === 0 || maglevTableSize === undefined)
    return slotCounts(chosen).reduce((sum, count) => sum + count, 0);
  return maglevTableSize;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
