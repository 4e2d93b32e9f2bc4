/**
 * Moves constant additions to a pointer into the offsets of accesses through it.
 * The context requires this: the verifier allows accesses only at constant offsets
 * from the pointer that the program received.
 */
import { definitionsOf } from "../ir/analysis.ts";
import type { IrFunction, IrInstruction, Operation, Value } from "../ir/ir.ts";
import type { Pass } from "./pass.ts";

export const addressFolding: Pass = { name: "address folding", run: foldAddresses };

export function foldAddresses(fn: IrFunction): IrFunction {
  const definitions = definitionsOf(fn);
  const constant = (value: Value): bigint | undefined => {
    const operation = definitions[value.id]?.operation;
    return operation?.op === "constant" ? BigInt.asIntN(64, operation.value) : undefined;
  };
  /** The farthest pointer from which the access's offset still fits. */
  const origin = (address: Value, offset: number): { address: Value; offset: number } => {
    let best = { address, offset };
    let total = BigInt(offset);
    for (
      let at = definitions[address.id]?.operation;
      at?.op === "binary" && (at.operator === "add" || at.operator === "sub");
    ) {
      const by = constant(at.right);
      if (by === undefined || at.left.type !== "ptr") break;
      total += at.operator === "add" ? by : -by;
      if (BigInt.asIntN(16, total) === total) best = { address: at.left, offset: Number(total) };
      at = definitions[at.left.id]?.operation;
    }
    return best;
  };
  const fold = (operation: Operation): Operation => {
    switch (operation.op) {
      case "load":
      case "store":
      case "atomic":
      case "compare-exchange": {
        const { address, offset } = origin(operation.address, operation.offset);
        return address === operation.address ? operation : { ...operation, address, offset };
      }
      default:
        return operation;
    }
  };
  let changed = false;
  const change = (instruction: IrInstruction): IrInstruction => {
    const operation = fold(instruction.operation);
    if (operation === instruction.operation) return instruction;
    changed = true;
    return { ...instruction, operation };
  };
  const blocks = fn.blocks.map((block) => ({ ...block, instructions: block.instructions.map(change) }));
  return changed ? { ...fn, blocks } : fn;
}
