/** Places stack slots in the 512 bytes below r10. */
import { CompileError } from "../error.ts";
import type { StackSlot } from "../ir/ir.ts";
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
  if (bytes > STACK_LIMIT) throw new CompileError(tooLarge(fn.name, bytes, fn.slots));
  return { offsets, bytes };
}

function tooLarge(name: string, bytes: number, slots: readonly StackSlot[]): string {
  const sizes = new Map<string, { count: number; size: number }>();
  for (const slot of slots) {
    const seen = sizes.get(slot.name);
    sizes.set(slot.name, { count: (seen?.count ?? 0) + 1, size: slot.size });
  }
  const list = [...sizes]
    .sort((a, b) => b[1].size * b[1].count - a[1].size * a[1].count)
    .map(([slot, { count, size }]) => `${slot} ${count > 1 ? `${count} × ` : ""}${size} bytes`);
  return (
    `${name}: the stack holds ${STACK_LIMIT} bytes, but these slots need ${bytes}: ${list.join(", ")}. ` +
    "Use fewer or smaller structs at a time, or keep one in a per-CPU array map"
  );
}
