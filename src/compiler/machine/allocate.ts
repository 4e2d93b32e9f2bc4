/** Register allocation: colours, and where there are not enough of them, the stack. */
import { colour } from "./colouring.ts";
import {
  definitionOf, FIRST_VIRTUAL, forEachDefinition, forEachTerminatorUse, forEachUse, FRAME_POINTER, instruction, isCall, isMove, withRegisters,
  type MachineBlock, type MachineFunction, type MachineInstruction, type MachineTerminator, type Register,
} from "./machine.ts";
import { loadOpcode, Opcode, storeOpcode } from "./opcode.ts";
import type { StackSlot } from "../ir/ir.ts";

/** Gives every register a number from 0 to 9. Copies that become idle vanish. */
export function allocateRegisters(fn: MachineFunction): MachineFunction {
  let { blocks, slots, registerCount } = fn;
  const unspillable = new Set<Register>();
  for (let round = 0; ; round++) {
    const { colours, spilled } = colour(blocks, registerCount, spillCosts(blocks, registerCount, unspillable));
    if (spilled.length === 0) return { ...fn, blocks: blocks.map((block) => paint(block, colours)), slots, registerCount: FIRST_VIRTUAL };
    const spill = new Spill(slots, registerCount, new Set(spilled), blocks, round === 0);
    blocks = blocks.map((block) => spill.rewrite(block));
    ({ slots, registerCount } = spill);
    for (const register of spill.temporaries) unspillable.add(register);
  }
}

function spillCosts(blocks: readonly MachineBlock[], registerCount: number, unspillable: ReadonlySet<Register>): Float64Array {
  const cost = new Float64Array(registerCount);
  for (const block of blocks) {
    const weight = 10 ** Math.min(block.depth, 6);
    const count = (register: Register): void => { cost[register]! += weight; };
    for (const i of block.instructions) {
      forEachUse(i, count);
      if (!isCall(i)) forEachDefinition(i, count);
    }
    forEachTerminatorUse(block.terminator, count);
  }
  for (const register of unspillable) cost[register]! += 1e12;
  return cost;
}

function paint(block: MachineBlock, colours: Int32Array): MachineBlock {
  const place = (register: Register): Register => colours[register]!;
  const instructions: MachineInstruction[] = [];
  for (const i of block.instructions) {
    const painted = isCall(i) ? i : withRegisters(i, place(i.dst), place(i.src));
    if (isMove(painted) && painted.dst === painted.src) continue;
    instructions.push(painted);
  }
  const t = block.terminator;
  const terminator: MachineTerminator = t.op !== "branch" ? t : { ...t, left: place(t.left), right: t.right === undefined ? undefined : place(t.right) };
  return { ...block, instructions, terminator };
}

/** Moves registers to stack slots: every use and definition gets a short-lived register of its own. */
class Spill {
  readonly slots: readonly StackSlot[];
  registerCount: number;
  readonly temporaries: Register[] = [];
  private readonly slotOf = new Map<Register, number>();
  /** Registers whose content is as quickly made again as read from the stack. */
  private readonly remade: ReadonlyMap<Register, MachineInstruction>;
  private readonly reuse: boolean;

  constructor(slots: readonly StackSlot[], registerCount: number, spilled: ReadonlySet<Register>, blocks: readonly MachineBlock[], reuse: boolean) {
    const all = [...slots];
    let id = all.reduce((highest, slot) => Math.max(highest, slot.id), -1);
    this.remade = constantDefinitions(blocks, spilled);
    for (const register of spilled) {
      if (this.remade.has(register)) continue;
      this.slotOf.set(register, all.push({ id: ++id, size: 8, align: 8, name: "a spilled value" }) - 1);
    }
    this.slots = all;
    this.registerCount = registerCount;
    this.reuse = reuse;
  }

  private temporary(): Register {
    const register = this.registerCount++;
    this.temporaries.push(register);
    return register;
  }

  rewrite(block: MachineBlock): MachineBlock {
    const out: MachineInstruction[] = [];
    /** What was last read back, until a call destroys it or the original changes. */
    const loaded = new Map<Register, Register>();
    const isSpilled = (register: Register): boolean => this.slotOf.has(register) || this.remade.has(register);
    const fetch = (register: Register, at: MachineInstruction["source"], into?: Register): Register => {
      if (!isSpilled(register)) return register;
      const known = loaded.get(register);
      if (known !== undefined && into === undefined) return known;
      const to = into ?? this.temporary();
      const made = this.remade.get(register);
      if (known !== undefined) out.push(instruction(Opcode.MOVE64, to, known, 0, 0, at));
      else if (made !== undefined) out.push({ ...made, dst: to, source: at });
      else out.push(instruction(loadOpcode(8), to, FRAME_POINTER, 0, 0, at, { slot: this.slotOf.get(register)!, space: "stack" }));
      if (this.reuse && into === undefined) loaded.set(register, to);
      return to;
    };
    for (const i of block.instructions) {
      if (isCall(i)) {
        out.push(i);
        loaded.clear();
        continue;
      }
      const defined = definitionOf(i);
      if (defined !== undefined && this.remade.has(defined)) continue;
      const slot = defined === undefined ? undefined : this.slotOf.get(defined);
      if (isMove(i)) {
        if (slot !== undefined) {
          const src = fetch(i.src, i.source);
          out.push(instruction(storeOpcode(8), FRAME_POINTER, src, 0, 0, i.source, { slot, space: "stack" }));
          loaded.delete(i.dst);
        } else {
          if (isSpilled(i.src)) fetch(i.src, i.source, i.dst);
          else out.push(i);
        }
        continue;
      }
      let readsDefined = false;
      const used: Register[] = [];
      forEachUse(i, (register) => {
        if (register === defined) readsDefined = true;
        else used.push(register);
      });
      const replaced = new Map<Register, Register>();
      for (const register of used) replaced.set(register, fetch(register, i.source));
      if (slot !== undefined && defined !== undefined) {
        const to = this.temporary();
        if (readsDefined) fetch(defined, i.source, to);
        loaded.delete(defined);
        replaced.set(defined, to);
      }
      const change = (register: Register): Register => replaced.get(register) ?? register;
      out.push(withRegisters(i, change(i.dst), change(i.src)));
      if (slot !== undefined && defined !== undefined) {
        out.push(instruction(storeOpcode(8), FRAME_POINTER, replaced.get(defined)!, 0, 0, i.source, { slot, space: "stack" }));
        if (this.reuse) loaded.set(defined, replaced.get(defined)!);
      }
    }
    const t = block.terminator;
    const terminator: MachineTerminator = t.op !== "branch" ? t
      : { ...t, left: fetch(t.left, t.source), right: t.right === undefined ? undefined : fetch(t.right, t.source) };
    return { ...block, instructions: out, terminator };
  }
}

/** Spilled registers that are only ever set once, to a constant. */
function constantDefinitions(blocks: readonly MachineBlock[], spilled: ReadonlySet<Register>): Map<Register, MachineInstruction> {
  const found = new Map<Register, MachineInstruction>();
  const excluded = new Set<Register>();
  for (const block of blocks) {
    for (const i of block.instructions) {
      const defined = isCall(i) ? undefined : definitionOf(i);
      if (defined === undefined || !spilled.has(defined)) continue;
      const constant = i.opcode === Opcode.LDDW || i.opcode === Opcode.MOVE64_IMMEDIATE || i.opcode === Opcode.MOVE32_IMMEDIATE;
      if (!constant || found.has(defined)) excluded.add(defined);
      else found.set(defined, i);
    }
  }
  for (const register of excluded) found.delete(register);
  return found;
}
