/** Writes plans to the maps. */
import type { AddressFamily } from "../model/index.ts";
import type { Plan, Round } from "../plan/index.ts";
import type { EntryChange } from "./entry-change.ts";
import { waitForRunningPrograms } from "./grace-period.ts";
import type { ControlMaps, FamilyMaps } from "./maps.ts";

/**
 * Carries out the plans of all address families together. When it returns,
 * every program that saw the old services has ended. If the process dies midway,
 * each service is old or new, and the next plan continues from there.
 *
 * The filter has a service's bit before the service exists and until it is
 * gone, so that no call misses the service.
 *
 * The generation is bumped after every program that read an old service has
 * ended: such a program could otherwise remember an old backend under the new
 * generation. An empty plan bumps it too, because a process that wrote the
 * services may have died before it bumped it.
 *
 * @param changes other maps, filled before the services change and emptied after
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
  // A program that has not seen the changes could remember a flow that they exclude.
  if (rounds === 0 && changes.length > 0) wait();
  for (const [family, { filter }] of plans) maps.families.get(family)!.serviceFilter.setMany(filter.narrower);
  for (const change of changes) change.remove();
  increment(maps);
  wait();
}

/**
 * Has the attached programs check every flow against its service again. It
 * waits until replaced programs have ended, so that none of them accepts a flow
 * under the new generation.
 * @throws {BpfError}
 */
export function bumpGeneration(maps: ControlMaps, wait: () => void = waitForRunningPrograms): void {
  wait();
  increment(maps);
}

function increment({ generation }: ControlMaps): void {
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
