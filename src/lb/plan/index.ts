/** From what the maps hold to what they should hold: allocation and the order of writes. Pure: touches no map. */
export type { FilterPlan } from "./filter.ts";
export { hostEntries, sourceSeeds, type MapEntries } from "./host-entries.ts";
export { maglevTable } from "./maglev.ts";
export { planServices, type Outcome, type Plan, type PlannedIndices } from "./plan.ts";
export type { Range } from "./ranges.ts";
export { NO_SLOTS, type Round } from "./rounds.ts";
export {
  definitionOf,
  keyText,
  storedServices,
  type ServiceKeyValue,
  type SlotValue,
  type State,
  type StoredService,
} from "./state.ts";
