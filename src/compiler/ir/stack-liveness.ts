/** Live bytes of the stack, at each point of a function. */
import { controlFlow, type ControlFlow } from "./analysis.ts";
import type { IrFunction, IrInstruction, Operation, StackSlot } from "./ir.ts";
import { escapingSlots, placeOf, slotOf } from "./memory.ts";
import type { Definitions } from "./significant-bits.ts";

export interface StackLiveness {
  readonly flow: ControlFlow;
  readonly definitions: Definitions;
  /** By slot id, the slot and the index of its first byte in a set of all slots' bytes. */
  readonly slots: ReadonlyMap<number, { readonly slot: StackSlot; readonly start: number }>;
  /** Slots whose uses cannot be followed: nothing is known of them. */
  readonly escaping: ReadonlySet<number>;
  /**
   * Walks the block at this position from its end. `visit` gets each instruction
   * with the set of bytes that are read after it.
   */
  walk(position: number, visit: (instruction: IrInstruction, index: number, readAfter: Uint32Array) => void): void;
}

/** Undefined where the function stores nothing on the stack. */
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

  const words = (total + 31) >> 5;
  /** The set of bytes read before an operation, from the set read after it: written bytes leave, read bytes enter. */
  const before = (operation: Operation, read: Uint32Array, kept: Uint32Array | undefined): void => {
    switch (operation.op) {
      case "store": {
        if (operation.space !== "stack") return;
        const { slot, offset, size } = placeOf(definitions, operation);
        if (slot === undefined) return;
        const from = slots.get(slot)!.start + offset;
        clear(read, from, size);
        if (kept !== undefined) clear(kept, from, size);
        return;
      }
      case "load":
      case "atomic":
      case "compare-exchange": {
        if (operation.space !== "stack") return;
        const { slot, offset, size } = placeOf(definitions, operation);
        if (slot === undefined) read.fill(0xffff_ffff);
        else add(read, slots.get(slot)!.start + offset, size);
        return;
      }
      case "call":
        for (const value of operation.arguments) {
          const slot = value.type === "ptr" ? slotOf(definitions, value) : undefined;
          if (slot === undefined) continue;
          const {
            start,
            slot: { size },
          } = slots.get(slot)!;
          add(read, start, size);
        }
        return;
      default:
        return;
    }
  };

  // Per block: bytes it reads before it writes them, and bytes live at its end that it keeps.
  const atStart: Uint32Array[] = [];
  const kept: Uint32Array[] = [];
  for (const { instructions } of flow.blocks) {
    const own = new Uint32Array(words);
    const through = new Uint32Array(words).fill(0xffff_ffff);
    for (let i = instructions.length - 1; i >= 0; i--) before(instructions[i]!.operation, own, through);
    atStart.push(own);
    kept.push(through);
  }
  const atEnd = (position: number, read: Uint32Array): Uint32Array => {
    read.fill(0);
    for (const next of flow.successors[position]!) {
      const start = atStart[next]!;
      for (let w = 0; w < words; w++) read[w]! |= start[w]!;
    }
    return read;
  };
  const read = new Uint32Array(words);
  for (let changed = true; changed; ) {
    changed = false;
    for (let position = flow.blocks.length - 1; position >= 0; position--) {
      atEnd(position, read);
      const start = atStart[position]!;
      const through = kept[position]!;
      for (let w = 0; w < words; w++) {
        const next = (start[w]! | (read[w]! & through[w]!)) >>> 0;
        if (next === start[w]!) continue;
        start[w] = next;
        changed = true;
      }
    }
  }
  return {
    flow,
    definitions,
    slots,
    escaping: escapingSlots(fn, definitions),
    walk(position, visit) {
      const { instructions } = flow.blocks[position]!;
      const read = atEnd(position, new Uint32Array(words));
      for (let i = instructions.length - 1; i >= 0; i--) {
        visit(instructions[i]!, i, read);
        before(instructions[i]!.operation, read, undefined);
      }
    },
  };
}

function add(set: Uint32Array, from: number, size: number): void {
  for (let byte = from; byte < from + size; byte++) set[byte >> 5]! |= 1 << (byte & 31);
}

function clear(set: Uint32Array, from: number, size: number): void {
  for (let byte = from; byte < from + size; byte++) set[byte >> 5]! &= ~(1 << (byte & 31));
}

/** Whether any of these bytes are in the set. */
export function hasAny(set: Uint32Array, from: number, size: number): boolean {
  for (let byte = from; byte < from + size; byte++) if ((set[byte >> 5]! & (1 << (byte & 31))) !== 0) return true;
  return false;
}
