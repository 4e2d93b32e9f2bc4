/** The control plane's hands: the maps read, and plans written to them. */
import { waitForRunningPrograms } from "./grace-period.ts";
import type { ControlMaps } from "./maps.ts";
import type { Plan } from "./plan.ts";
import { keyText, type State } from "./state.ts";

/**
 * What the maps say.
 * @throws {BpfError}
 */
export function readState(maps: ControlMaps): State {
  const names = new Map(Array.from(maps.serviceNames, ([key, { name }]) => [keyText(key), { key, name }]));
  const slotCount = maps.slots.maxEntries;
  const services = Array.from(maps.services, ([key, value]) => {
    const text = keyText(key);
    const name = names.get(text)?.name;
    names.delete(text);
    const { base, count } = value.range;
    const indices = base + count > slotCount ? [] : Array.from({ length: count }, (_, i) => base + i);
    return { key, value, name, backends: maps.slots.getMany(indices).filter((slot) => slot !== undefined) };
  });
  return {
    services,
    strayNames: Array.from(names.values(), ({ key }) => key),
    members: [...maps.backends],
    allocation: maps.allocation.get(0) ?? { nextSlot: 0, nextRevNatIndex: 0 },
    serviceRoom: Math.min(maps.services.maxEntries, maps.serviceNames.maxEntries),
    memberRoom: maps.backends.maxEntries,
    slotCount,
  };
}

/**
 * Carries a plan out. When it returns, no program runs any more that has seen
 * the services as they were. A process that dies on the way leaves every
 * service as it was or as it is to be, and the next plan takes it from there.
 *
 * The generation is bumped only when no program is left that read a service of
 * the one before: such a program could otherwise remember an old backend under
 * the new generation. It is bumped for an empty plan too, since the process
 * that wrote the services may not have come so far.
 *
 * @throws {BpfError}
 */
export function applyPlan(maps: ControlMaps, plan: Plan, wait: () => void = waitForRunningPrograms): void {
  for (const round of plan.rounds) {
    maps.allocation.set(0, round.allocation);
    maps.slots.setMany(round.slots);
    maps.backends.setMany(round.members);
    maps.serviceNames.setMany(round.names.map(([key, name]) => [key, { name }] as const));
    maps.services.setMany(round.services);
    maps.services.deleteMany(round.removedServices);
    maps.serviceNames.deleteMany(round.removedNames);
    maps.backends.deleteMany(round.removedMembers);
    wait();
  }
  maps.generation.set(0, ((maps.generation.get(0) ?? 0) + 1) >>> 0);
  wait();
}
