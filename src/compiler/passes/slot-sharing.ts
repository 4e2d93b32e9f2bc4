/**
 * Stack slots that are never in use at the same time become one. Slots of the
 * same struct come first: what the one still holds need not be stored into the
 * other again (load-forwarding.ts).
 */
import type { IrFunction, IrInstruction, Operation, StackSlot } from "../ir/ir.ts";
import { placeOf, slotOf } from "../ir/memory.ts";
import { stackLiveness, type StackLiveness } from "../ir/stack-liveness.ts";

export function shareSlots(fn: IrFunction): IrFunction {
  const stack = stackLiveness(fn);
  if (stack === undefined) return fn;
  const candidates = [...stack.slots.values()].map(({ slot }) => slot).filter(({ id }) => !stack.escaping.has(id));
  if (candidates.length < 2) return fn;
  const conflicts = interference(stack);

  /** Each with the slots that it stands for. */
  const groups: { slot: StackSlot; members: number[] }[] = [];
  const place = (slot: StackSlot, fits: (other: StackSlot) => boolean): boolean => {
    const group = groups.find(({ slot: other, members }) => fits(other) && members.every((member) => !conflicts.get(member)!.has(slot.id)));
    group?.members.push(slot.id);
    return group !== undefined;
  };
  for (const slot of candidates) {
    if (place(slot, (other) => other.size === slot.size && other.align === slot.align && other.name === slot.name)) continue;
    groups.push({ slot, members: [slot.id] });
  }
  // Then whole groups into others that are as large, the largest first.
  groups.sort((a, b) => b.slot.size - a.slot.size);
  const final: typeof groups = [];
  for (const group of groups) {
    const into = final.find(({ slot, members }) => slot.align >= group.slot.align &&
      members.every((member) => group.members.every((other) => !conflicts.get(member)!.has(other))));
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
    return slot === undefined || slot === operation.slot ? instruction : { ...instruction, operation: { op: "stack", slot } };
  };
  return { ...fn, blocks: fn.blocks.map((block) => ({ ...block, instructions: block.instructions.map(change) })) };
}

/** By slot, the others that are in use at some point where it is: written before, and read behind. */
function interference({ flow, definitions, slots, walk }: StackLiveness): ReadonlyMap<number, ReadonlySet<number>> {
  const ids = [...slots.keys()];
  const conflicts = new Map(ids.map((id) => [id, new Set<number>()]));
  const touched = (o: Operation): number[] => {
    switch (o.op) {
      case "store": case "load": case "atomic": case "compare-exchange": {
        if (o.space !== "stack") return [];
        const { slot } = placeOf(definitions, o);
        return slot === undefined ? ids : [slot];
      }
      case "call":
        return o.arguments.flatMap((value) => (value.type === "ptr" ? slotOf(definitions, value) ?? [] : []));
      default:
        return [];
    }
  };
  // Forwards: what may have been written on some way to here.
  const writtenAtEnd: Set<number>[] = flow.blocks.map(() => new Set());
  const writtenAtStart = (position: number): Set<number> => new Set(flow.predecessors[position]!.flatMap((from) => [...writtenAtEnd[from]!]));
  for (let changed = true; changed;) {
    changed = false;
    flow.blocks.forEach(({ instructions }, position) => {
      const written = writtenAtStart(position);
      for (const { operation } of instructions) for (const slot of touched(operation)) written.add(slot);
      if (written.size === writtenAtEnd[position]!.size) return;
      writtenAtEnd[position] = written;
      changed = true;
    });
  }
  flow.blocks.forEach(({ instructions }, position) => {
    /** By instruction, the slots that are read behind it. */
    const readAfter: number[][] = [];
    walk(position, ({ operation }, index, read) => {
      if (touched(operation).length === 0) return;
      readAfter[index] = ids.filter((id) => {
        const { start, slot } = slots.get(id)!;
        return read.subarray(start, start + slot.size).includes(1);
      });
    });
    const written = writtenAtStart(position);
    instructions.forEach(({ operation }, index) => {
      const now = touched(operation);
      if (now.length === 0) return;
      const inUse = new Set([...readAfter[index]!.filter((id) => written.has(id)), ...now]);
      for (const a of now) for (const b of inUse) if (a !== b) { conflicts.get(a)!.add(b); conflicts.get(b)!.add(a); }
      for (const slot of now) written.add(slot);
    });
  });
  return conflicts;
}
