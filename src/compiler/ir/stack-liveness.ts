/** Which bytes of the stack are still read, at each point of a function. */
import { controlFlow, type ControlFlow } from "./analysis.ts";
import type { Block, IrFunction, IrInstruction, Operation, StackSlot } from "./ir.ts";
import { escapingSlots, placeOf, slotOf } from "./memory.ts";
import type { Definitions } from "./significant-bits.ts";

export interface StackLiveness {
  readonly flow: ControlFlow;
  readonly definitions: Definitions;
  /** By slot id, the slot and where its bytes begin in a set of all slots' bytes. */
  readonly slots: ReadonlyMap<number, { readonly slot: StackSlot; readonly start: number }>;
  /** Slots that are used in ways that can't be followed: nothing is said about them. */
  readonly escaping: ReadonlySet<number>;
  /**
   * Goes through the block at this position from its end. `visit` is called for
   * each instruction with the bytes that are read behind it (1) or not (0).
   */
  walk(position: number, visit: (instruction: IrInstruction, index: number, readAfter: Uint8Array) => void): void;
}

/** Nothing where the function stores nothing on the stack. */
export function stackLiveness(fn: IrFunction): StackLiveness | undefined {
  const operations: (Operation | undefined)[] = [];
  const slots = new Map<number, { slot: StackSlot; start: number }>();
  let total = 0;
  let stores = false;
  for (const { instructions } of fn.blocks) {
    for (const { result, operation } of instructions) {
      if (result !== undefined) operations[result.id] = operation;
      if (operation.op === "store" && operation.space === "stack") stores = true;
      if (operation.op !== "stack" || slots.has(operation.slot.id)) continue;
      slots.set(operation.slot.id, { slot: operation.slot, start: total });
      total += operation.slot.size;
    }
  }
  if (!stores) return undefined;
  const definitions: Definitions = { operation: ({ id }) => operations[id] };
  const flow = controlFlow(fn);

  const before = (operation: Operation, read: Uint8Array): void => {
    switch (operation.op) {
      case "store": {
        if (operation.space !== "stack") return;
        const { slot, offset, size } = placeOf(definitions, operation);
        if (slot === undefined) return;
        const from = slots.get(slot)!.start + offset;
        read.fill(0, from, from + size);
        return;
      }
      case "load": case "atomic": case "compare-exchange": {
        if (operation.space !== "stack") return;
        const { slot, offset, size } = placeOf(definitions, operation);
        if (slot === undefined) {
          read.fill(1);
        } else {
          const from = slots.get(slot)!.start + offset;
          read.fill(1, from, from + size);
        }
        return;
      }
      case "call":
        for (const value of operation.arguments) {
          const slot = value.type === "ptr" ? slotOf(definitions, value) : undefined;
          if (slot === undefined) continue;
          const { start, slot: { size } } = slots.get(slot)!;
          read.fill(1, start, start + size);
        }
        return;
      default:
        return;
    }
  };

  const walk = (block: Block, read: Uint8Array, visit?: (instruction: IrInstruction, index: number, readAfter: Uint8Array) => void): void => {
    for (let i = block.instructions.length - 1; i >= 0; i--) {
      visit?.(block.instructions[i]!, i, read);
      before(block.instructions[i]!.operation, read);
    }
  };
  // Each block is gone through twice: with nothing read behind it, which tells what it reads itself, and with
  // everything, which tells what it lets through. The rest is done on these, four bytes at a time.
  const words = (total + 3) >> 2;
  const set = (): Uint32Array => new Uint32Array(words);
  const bytes = (of: Uint32Array): Uint8Array => new Uint8Array(of.buffer);
  const own = flow.blocks.map((block) => {
    const read = set();
    walk(block, bytes(read));
    return read;
  });
  const through = flow.blocks.map((block) => {
    const read = set().fill(0x01010101);
    walk(block, bytes(read));
    return read;
  });
  const atStart = own.map((read) => read.slice());
  const atEnd = (position: number): Uint32Array => {
    const read = set();
    for (const next of flow.successors[position]!) {
      const start = atStart[next]!;
      for (let w = 0; w < words; w++) read[w]! |= start[w]!;
    }
    return read;
  };
  for (let changed = true; changed;) {
    changed = false;
    for (let position = flow.blocks.length - 1; position >= 0; position--) {
      const read = atEnd(position);
      const start = atStart[position]!;
      const passes = through[position]!;
      for (let w = 0; w < words; w++) {
        const next = start[w]! | (read[w]! & passes[w]!);
        if (next === start[w]!) continue;
        start[w] = next;
        changed = true;
      }
    }
  }
  return {
    flow, definitions, slots, escaping: escapingSlots(fn, definitions),
    walk: (position, visit) => walk(flow.blocks[position]!, bytes(atEnd(position)), visit),
  };
}
