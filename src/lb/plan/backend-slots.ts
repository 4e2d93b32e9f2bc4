/** A service's backends as the maps hold them. */
import { backendsForNewFlows, backendStates, slotCounts, type BackendDefinition } from "../model/index.ts";
import { maglevTable } from "./maglev.ts";
import type { Member, Setting, SlotValue } from "./state.ts";

/**
 * The slots of a service. Their order matters only in a Maglev table; otherwise
 * a slot is selected at random or by the socket's cookie.
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

/** The backends that existing flows may keep. */
export function membersOf(backends: readonly BackendDefinition[], revNatIndex: number): Member[] {
  return backends
    .filter(({ state }) => state === "active" || state === "terminating")
    .map(({ address, port, state }) => [{ address, port, revNatIndex }, backendStates[state]]);
}

/** Backends that slots and members do not show: states without slots, and weights that are not in lowest terms. */
export function settingsOf(backends: readonly BackendDefinition[], revNatIndex: number): Setting[] {
  return backends
    .filter(({ state, weight }) => weight !== 1 || state === "quarantined" || state === "maintenance")
    .map(({ address, port, weight, state }) => [
      { address, port, revNatIndex },
      { weight, state: backendStates[state] },
    ]);
}
