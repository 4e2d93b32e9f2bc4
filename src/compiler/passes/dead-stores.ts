/** Removes stores to the stack that are overwritten or never read. */
import type { IrFunction, IrInstruction } from "../ir/ir.ts";
import { placeOf } from "../ir/memory.ts";
import { hasAny, stackLiveness } from "../ir/stack-liveness.ts";
import type { Pass } from "./pass.ts";

export const deadStores: Pass = { name: "dead stores", run: removeDeadStores };

export function removeDeadStores(fn: IrFunction): IrFunction {
  const stack = stackLiveness(fn);
  if (stack === undefined) return fn;
  const dead = new Set<IrInstruction>();
  for (let position = 0; position < stack.flow.blocks.length; position++) {
    stack.walk(position, (instruction, _, readAfter) => {
      const { operation } = instruction;
      if (operation.op !== "store" || operation.space !== "stack") return;
      const { slot, offset, size } = placeOf(stack.definitions, operation);
      if (slot === undefined || stack.escaping.has(slot)) return;
      const from = stack.slots.get(slot)!.start + offset;
      if (!hasAny(readAfter, from, size)) dead.add(instruction);
    });
  }
  if (dead.size === 0) return fn;
  return {
    ...fn,
    blocks: fn.blocks.map((block) => ({
      ...block,
      instructions: block.instructions.filter((instruction) => !dead.has(instruction)),
    })),
  };
}
