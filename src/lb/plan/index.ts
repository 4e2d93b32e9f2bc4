/** From what the maps say to what they ought to say: allocation and order of writes. */
export { MAX_SLOTS_PER_SERVICE, slotsNeeded } from "./backend-slots.ts";
export { EntryChange, type MapEntries } from "../apply/entry-change.ts";
export { MAGLEV_TABLE_SIZES } from "./maglev.ts";
export { planServices, type Outcome, type Plan } from "./plan.ts";
export type { Range } from "./ranges.ts";
export type { Round } from "./rounds.ts";
export { definitionOf, keyText, readState, storedServices, type ServiceKeyValue, type State } from "./state.ts";
