/** Places stack slots in the 512 bytes below r10. */
import { placeName, type SourceLocation } from "../../asm/index.ts";
import { CompileError } from "../error.ts";
import type { MachineFunction } from "./machine.ts";

/** Bytes of stack for a program, subprograms' frames included (MAX_BPF_STACK). */
export const STACK_LIMIT = 512;

export interface Frame {
  /** By index into the function's slots: offset from r10, negative. */
  readonly offsets: readonly number[];
  /** A multiple of 8. */
  readonly bytes: number;
}

/** Throws a CompileError that names the slots if they do not fit. */
export function layOutFrame(fn: MachineFunction): Frame {
  const offsets: number[] = new Array(fn.slots.length).fill(0);
  // Merged stores may be wider than any field. The most strictly aligned slots come first, so that no padding is
  // needed.
  const alignments = fn.slots.map(({ size, align }) => (size >= 8 ? 8 : align));
  const order = fn.slots.map((_, i) => i).sort((a, b) => alignments[b]! - alignments[a]! || a - b);
  let used = 0;
  for (const i of order) {
    const { size } = fn.slots[i]!;
    const align = alignments[i]!;
    used = Math.ceil((used + size) / align) * align;
    offsets[i] = -used;
  }
  const bytes = Math.ceil(used / 8) * 8;
  if (bytes > STACK_LIMIT) throw tooLarge(fn, bytes);
  return { offsets, bytes };
}

function tooLarge({ name, slots, blocks }: MachineFunction, bytes: number): CompileError {
  const kinds = new Map<string, { count: number; size: number; readonly uses: Map<string, SourceLocation> }>();
  for (const [index, slot] of slots.entries()) {
    const kind = kinds.get(slot.name) ?? { count: 0, size: slot.size, uses: new Map() };
    kinds.set(slot.name, kind);
    kind.count++;
    const source = firstUse(blocks, index);
    if (source !== undefined) kind.uses.set(placeName(source), source);
  }
  const largest = [...kinds].sort((a, b) => b[1].size * b[1].count - a[1].size * a[1].count);
  const list = largest.map(([slot, { count, size, uses }], rank) => {
    // The largest are those to do something about.
    const where = rank < 3 && uses.size > 0 ? ` (${[...uses.keys()].slice(0, 3).join(", ")})` : "";
    return `${slot} ${count > 1 ? `${count} × ` : ""}${size} bytes${where}`;
  });
  const text =
    `${name}: the stack holds ${STACK_LIMIT} bytes, but these slots need ${bytes}: ${list.join(", ")}. ` +
    "Use fewer or smaller structs at a time, or keep one in a per-CPU array map";
  const [first] = largest.flatMap(([, { uses }]) => [...uses.values()]);
  return new CompileError(text, first);
}

/** The line that the first instruction on a slot comes from. */
function firstUse(blocks: MachineFunction["blocks"], slot: number): SourceLocation | undefined {
  for (const { instructions } of blocks) {
    const first = instructions.find((each) => each.slot === slot && each.source !== undefined);
    if (first !== undefined) return first.source;
  }
  return undefined;
}
