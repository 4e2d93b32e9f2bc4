/** The control plane's hands: plans written to the maps. */
import type { EntryChange, Plan, Round } from "../plan/index.ts";
import { waitForRunningPrograms } from "./grace-period.ts";
import type { ControlMaps, FamilyMaps } from "./maps.ts";
import type { AddressFamily } from "../model/service.ts";

/**
 * Carries plans out, those of all address families at a time. When it returns,
 * no program runs any more that has seen the services as they were. A process
 * that dies on the way leaves every service as it was or as it is to be, and
 * the next plan takes it from there.
 *
 * The filter has a service's bit before the service is there, and until it is
 * gone, so that none is ever missed.
 *
 * The generation is bumped only when no program is left that read a service of
 * the one before: such a program could otherwise remember an old backend under
 * the new generation. It is bumped for an empty plan too, since the process
 * that wrote the services may not have come so far.
 *
 * @param changes of other maps, which new services may need and former ones may have needed
 * @throws {BpfError}
 */
export function applyPlans(
  maps: ControlMaps,
  plans: ReadonlyMap<AddressFamily, Pick<Plan, "rounds" | "filter">>,
  changes: readonly EntryChange[] = [],
  wait: () => void = waitForRunningPrograms,
): void {
  for (const change of changes) change.add();
  for (const [family, { filter }] of plans) maps.families.get(family)!.serviceFilter.setMany(filter.wider);
  const rounds = Math.max(0, ...Array.from(plans.values(), (plan) => plan.rounds.length));
  for (let i = 0; i < rounds; i++) {
    for (const [family, plan] of plans) {
      const round = plan.rounds[i];
      if (round !== undefined) writeRound(maps.families.get(family)!, round);
    }
    wait();
  }
  // Nor may a program be left that has not seen those: it would remember a flow that is not to be.
  if (rounds === 0 && changes.length > 0) wait();
  for (const [family, { filter }] of plans) maps.families.get(family)!.serviceFilter.setMany(filter.narrower);
  for (const change of changes) change.remove();
  bump(maps);
  wait();
}

/**
 * Has every flow checked against its service again, and by the programs that
 * are attached by now: those that were replaced run no more when it is called for.
 * @throws {BpfError}
 */
export function announce(maps: ControlMaps, wait: () => void = waitForRunningPrograms): void {
  wait();
  bump(maps);
}

function bump({ generation }: ControlMaps): void {
  generation.set(0, ((generation.get(0) ?? 0) + 1) >>> 0);
}

function writeRound(maps: FamilyMaps, round: Round): void {
  maps.allocation.set(0, round.allocation);
  maps.slots.setMany(round.slots);
  maps.backends.setMany(round.members);
  maps.backendSettings.setMany(round.settings);
  maps.serviceNames.setMany(round.names.map(([key, name]) => [key, { name }] as const));
  maps.services.setMany(round.services);
  maps.services.deleteMany(round.removedServices);
  maps.serviceNames.deleteMany(round.removedNames);
  maps.backends.deleteMany(round.removedMembers);
  maps.backendSettings.deleteMany(round.removedSettings);
}
