/** Which passes run, and in what order. */
import type { IrFunction } from "../ir/ir.ts";
import type { InstructionSet } from "../instruction-set.ts";
import { simplifyControlFlow } from "./control-flow.ts";
import { removeDeadCode } from "./dead-code.ts";
import { removeDeadStores } from "./dead-stores.ts";
import { joinEqualBlocks } from "./equal-blocks.ts";
import { expandSignedDivision } from "./expand-signed-division.ts";
import { foldAddresses } from "./fold-addresses.ts";
import { forwardLoads } from "./load-forwarding.ts";
import { shareSlots } from "./slot-sharing.ts";
import { mergeStores } from "./store-merging.ts";
import { numberValues } from "./value-numbering.ts";

export interface Pass {
  readonly name: string;
  /** Passes that leave nothing more to do for this one than there was before them. */
  readonly unmovedBy?: readonly Pass[];
  run(fn: IrFunction): IrFunction;
}

const controlFlow: Pass = { name: "control flow", run: simplifyControlFlow };
const numbering: Pass = { name: "value numbering", run: numberValues };
const deadCode: Pass = { name: "dead code", run: removeDeadCode };
const loads: Pass = { name: "load forwarding", unmovedBy: [deadCode], run: forwardLoads };
const deadStores: Pass = { name: "dead stores", run: removeDeadStores };
const merging: Pass = { name: "store merging", run: mergeStores };
const equalBlocks: Pass = { name: "equal blocks", run: joinEqualBlocks };
const sharing: Pass = { name: "slot sharing", run: shareSlots };
const addresses: Pass = { name: "address folding", run: foldAddresses };
const division: Pass = { name: "signed division", run: expandSignedDivision };

/** What one pass finds opens the way for others: this order finds what running all of them again and again would, or nearly. */
const optimising: readonly Pass[] = [
  numbering,
  controlFlow,
  loads,
  deadCode,
  numbering,
  controlFlow,
  loads,
  deadCode,
  addresses,
  deadStores,
  merging,
  sharing,
  numbering,
  loads,
  controlFlow,
  deadCode,
  equalBlocks,
];

export function passesFor(isa: InstructionSet, optimise: boolean): readonly Pass[] {
  const before = isa < 4 ? [division] : [];
  return optimise ? [...before, ...optimising] : [...before, addresses, sharing, deadCode];
}
