/** From what the maps hold to what they should hold: allocation and the order of writes. Pure: touches no map. */
export type { FilterPlan } from "./filter.ts";
export { hostEntries, type MapEntries, type MapEntry } from "./host-entries.ts";
export { planServices, type Outcome, type Plan, type PlannedIndices } from "./plan.ts";
export type { Range } from "./ranges.ts";
export type { Round } from "./rounds.ts";
export {
  definitionOf,
  keyText,
  storedServices,
  type ServiceKeyValue,
  type SlotValue,
  type State,
  type StoredService,
} from "./state.ts";
