/** Leaves out stores to the stack that nobody reads: overwritten before, or the function ends. */
import { controlFlow } from "../ir/analysis.ts";
import type { Block, IrFunction, IrInstruction, Operation } from "../ir/ir.ts";
import { escapingSlots, placeOf, slotOf } from "../ir/memory.ts";
import type { Definitions } from "../ir/significant-bits.ts";

export function removeDeadStores(fn: IrFunction): IrFunction {
  const operations: (Operation | undefined)[] = [];
  /** By slot id, where its bytes begin in a set of all slots' bytes. */
  const starts = new Map<number, { start: number; size: number }>();
  let total = 0;
  let stores = false;
  for (const { instructions } of fn.blocks) {
    for (const { result, operation } of instructions) {
      if (result !== undefined) operations[result.id] = operation;
      if (operation.op === "store" && operation.space === "stack") stores = true;
      if (operation.op !== "stack" || starts.has(operation.slot.id)) continue;
      starts.set(operation.slot.id, { start: total, size: operation.slot.size });
      total += operation.slot.size;
    }
  }
  if (!stores) return fn;
  const definitions: Definitions = { operation: ({ id }) => operations[id] };
  const escaping = escapingSlots(fn, definitions);

  /** Goes through a block from its end; `read` holds the bytes that are still read behind. Calls `dead` with idle stores. */
  const walk = (block: Block, read: Uint8Array, dead?: (instruction: IrInstruction) => void): void => {
    for (let i = block.instructions.length - 1; i >= 0; i--) {
      const instruction = block.instructions[i]!;
      const { operation } = instruction;
      switch (operation.op) {
        case "store": {
          if (operation.space !== "stack") break;
          const { slot, offset, size } = placeOf(definitions, operation);
          if (slot === undefined || escaping.has(slot)) break;
          const from = starts.get(slot)!.start + offset;
          if (read.subarray(from, from + size).every((byte) => byte === 0)) dead?.(instruction);
          read.fill(0, from, from + size);
          break;
        }
        case "load": case "atomic": case "compare-exchange": {
          if (operation.space !== "stack") break;
          const { slot, offset, size } = placeOf(definitions, operation);
          if (slot === undefined) {
            read.fill(1);
          } else {
            const from = starts.get(slot)!.start + offset;
            read.fill(1, from, from + size);
          }
          break;
        }
        case "call":
          for (const value of operation.arguments) {
            const slot = value.type === "ptr" ? slotOf(definitions, value) : undefined;
            if (slot === undefined) continue;
            const { start, size } = starts.get(slot)!;
            read.fill(1, start, start + size);
          }
          break;
        default:
          break;
      }
    }
  };

  const flow = controlFlow(fn);
  const atStart: Uint8Array[] = flow.blocks.map(() => new Uint8Array(total));
  const atEnd = (position: number): Uint8Array => {
    const read: Uint8Array = new Uint8Array(total);
    for (const next of flow.successors[position]!) atStart[next]!.forEach((byte, i) => { if (byte !== 0) read[i] = 1; });
    return read;
  };
  for (let changed = true; changed;) {
    changed = false;
    for (let position = flow.blocks.length - 1; position >= 0; position--) {
      const read = atEnd(position);
      walk(flow.blocks[position]!, read);
      if (read.every((byte, i) => byte === atStart[position]![i])) continue;
      atStart[position] = read;
      changed = true;
    }
  }
  const dead = new Set<IrInstruction>();
  flow.blocks.forEach((block, position) => walk(block, atEnd(position), (instruction) => dead.add(instruction)));
  if (dead.size === 0) return fn;
  return { ...fn, blocks: fn.blocks.map((block) => ({ ...block, instructions: block.instructions.filter((instruction) => !dead.has(instruction)) })) };
}
