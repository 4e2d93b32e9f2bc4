/** Brings plans into the kernel: maps, programs, generation, counters, sockets. */
export { readBuiltOptions } from "./built-options.ts";
export { closeStaleSockets, type ConnectionMaps } from "./close-sockets.ts";
export { counterNames, readCounters, sumCounters, type CounterTotals } from "./counters.ts";
export { DETACH_GRACE } from "./detach.ts";
export { exclusively } from "./lock.ts";
export { builtOptions, controlMaps, familyMaps, loadBalancerMaps, mapSizes, type FamilyMaps } from "./maps.ts";
export { loadedPins, nothingLoaded, OWNER, pinnedFamilies, pinnedSizes } from "./pins.ts";
export { dataPathOptions, ProgramBuilder } from "./programs.ts";
export { readState } from "./read-state.ts";
export type { UnreservedPorts } from "./reserve-ports.ts";
export { storedDefinitions, transact, type Place, type Target, type TransactionResult } from "./transaction.ts";
export { unloadLoadBalancer, type UnloadOptions, type UnloadResult } from "./unload.ts";
export { applyPlans } from "./write-plans.ts";
