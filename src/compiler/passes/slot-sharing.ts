/**
 * Merges stack slots that are never live at the same time. Slots of the same struct
 * come first: bytes that already have the right value need not be stored again
 * (load-forwarding.ts).
 */
import type { IrFunction, IrInstruction, Operation, StackSlot } from "../ir/ir.ts";
import { placeOf, slotOf } from "../ir/memory.ts";
import { hasAny, stackLiveness, type StackLiveness } from "../ir/stack-liveness.ts";
import type { Pass } from "./pass.ts";

export const slotSharing: Pass = { name: "slot sharing", run: shareSlots };

export function shareSlots(fn: IrFunction): IrFunction {
  const stack = stackLiveness(fn);
  if (stack === undefined) return fn;
  const candidates = [...stack.slots.values()].map(({ slot }) => slot).filter(({ id }) => !stack.escaping.has(id));
  if (candidates.length < 2) return fn;
  const conflicts = interference(stack);

  /** Each with the slots it replaces. */
  const groups: { slot: StackSlot; members: number[] }[] = [];
  const place = (slot: StackSlot, fits: (other: StackSlot) => boolean): boolean => {
    const group = groups.find(
      ({ slot: other, members }) => fits(other) && members.every((member) => !conflicts.get(member)!.has(slot.id)),
    );
    group?.members.push(slot.id);
    return group !== undefined;
  };
  for (const slot of candidates) {
    if (place(slot, (other) => other.size === slot.size && other.align === slot.align && other.name === slot.name))
      continue;
    groups.push({ slot, members: [slot.id] });
  }
  // Then whole groups into others of the same size or larger, the largest first.
  groups.sort((a, b) => b.slot.size - a.slot.size);
  const final: typeof groups = [];
  for (const group of groups) {
    const into = final.find(
      ({ slot, members }) =>
        slot.align >= group.slot.align &&
        members.every((member) => group.members.every((other) => !conflicts.get(member)!.has(other))),
    );
    if (into === undefined) final.push(group);
    else into.members.push(...group.members);
  }
  if (final.length === candidates.length) return fn;
  const instead = new Map<number, StackSlot>();
  for (const { slot, members } of final) for (const member of members) instead.set(member, slot);
  const change = (instruction: IrInstruction): IrInstruction => {
    const { operation } = instruction;
    if (operation.op !== "stack") return instruction;
    const slot = instead.get(operation.slot.id);
    return slot === undefined || slot === operation.slot
      ? instruction
      : { ...instruction, operation: { op: "stack", slot } };
  };
  return { ...fn, blocks: fn.blocks.map((block) => ({ ...block, instructions: block.instructions.map(change) })) };
}

/** By slot, the slots that are live at the same point: written before it, and read after it. */
function interference({ flow, definitions, slots, walk }: StackLiveness): ReadonlyMap<number, ReadonlySet<number>> {
  const ids = [...slots.keys()];
  const conflicts = new Map(ids.map((id) => [id, new Set<number>()]));
  const touched = (o: Operation): readonly number[] => {
    switch (o.op) {
      case "store":
      case "load":
      case "atomic":
      case "compare-exchange": {
        if (o.space !== "stack") return none;
        const { slot } = placeOf(definitions, o);
        return slot === undefined ? ids : [slot];
      }
      case "call":
        return o.arguments.flatMap((value) => (value.type === "ptr" ? (slotOf(definitions, value) ?? []) : []));
      default:
        return none;
    }
  };
  /** By position, the slots that each instruction touches; instructions that touch none are left out. */
  const touches = flow.blocks.map(({ instructions }) => {
    const found: { index: number; slots: readonly number[] }[] = [];
    instructions.forEach(({ operation }, index) => {
      const slots = touched(operation);
      if (slots.length > 0) found.push({ index, slots });
    });
    return found;
  });
  // Forwards: slots that may have been written before.
  const writtenAtEnd: ReadonlySet<number>[] = flow.blocks.map(() => new Set());
  const writtenAtStart = (position: number): Set<number> => {
    const written = new Set<number>();
    for (const from of flow.predecessors[position]!) for (const slot of writtenAtEnd[from]!) written.add(slot);
    return written;
  };
  for (let changed = true; changed; ) {
    changed = false;
    touches.forEach((inBlock, position) => {
      const written = writtenAtStart(position);
      for (const { slots } of inBlock) for (const slot of slots) written.add(slot);
      if (written.size === writtenAtEnd[position]!.size) return;
      writtenAtEnd[position] = written;
      changed = true;
    });
  }
  touches.forEach((inBlock, position) => {
    if (inBlock.length === 0) return;
    /** By instruction, the slots that are read after it. */
    const readAfter: number[][] = [];
    const written = [...writtenAtEnd[position]!];
    let next = inBlock.length - 1;
    walk(position, (_, index, read) => {
      if (inBlock[next]?.index !== index) return;
      next--;
      readAfter[index] = written.filter((id) => {
        const { start, slot } = slots.get(id)!;
        return hasAny(read, start, slot.size);
      });
    });
    const writtenBefore = writtenAtStart(position);
    for (const { index, slots: now } of inBlock) {
      const inUse = new Set([...readAfter[index]!.filter((id) => writtenBefore.has(id)), ...now]);
      for (const a of now)
        for (const b of inUse)
          if (a !== b) {
            conflicts.get(a)!.add(b);
            conflicts.get(b)!.add(a);
          }
      for (const slot of now) writtenBefore.add(slot);
    }
  });
  return conflicts;
}

const none: readonly number[] = [];
