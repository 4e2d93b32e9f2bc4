/** Which passes run, and in what order. */
import type { InstructionSet } from "../instruction-set.ts";
import { controlFlow } from "./control-flow.ts";
import { deadCode } from "./dead-code.ts";
import { deadStores } from "./dead-stores.ts";
import { equalBlocks } from "./equal-blocks.ts";
import { signedDivision } from "./expand-signed-division.ts";
import { addressFolding } from "./fold-addresses.ts";
import { loadForwarding } from "./load-forwarding.ts";
import { slotSharing } from "./slot-sharing.ts";
import { storeMerging } from "./store-merging.ts";
import { valueNumbering } from "./value-numbering.ts";
import type { Pass } from "./pass.ts";

export type { Pass } from "./pass.ts";

/** Passes create work for one another. This order finds nearly all that repeating them to a fixed point would find. */
const optimising: readonly Pass[] = [
  valueNumbering,
  controlFlow,
  loadForwarding,
  deadCode,
  valueNumbering,
  controlFlow,
  loadForwarding,
  deadCode,
  addressFolding,
  deadStores,
  storeMerging,
  slotSharing,
  valueNumbering,
  loadForwarding,
  controlFlow,
  deadCode,
  equalBlocks,
];

export function passesFor(isa: InstructionSet, optimise: boolean): readonly Pass[] {
  const before = isa < 4 ? [signedDivision] : [];
  return optimise ? [...before, ...optimising] : [...before, addressFolding, slotSharing, deadCode];
}
