/** Register allocation: colours, then stack slots for the registers left over. */
import { blockOrder } from "./layout.ts";
import { colour } from "./colouring.ts";
import {
  definitionOf,
  FIRST_VIRTUAL,
  forEachTerminatorUse,
  forEachUse,
  FRAME_POINTER,
  instruction,
  isCall,
  isMove,
  successorsOf,
  withRegisters,
  type MachineBlock,
  type MachineFunction,
  type MachineInstruction,
  type MachineTerminator,
  type Register,
} from "./machine.ts";
import { isLive, liveness, type Liveness } from "./liveness.ts";
import { InstructionClass, loadOpcode, Opcode, storeOpcode } from "./opcode.ts";
import type { StackSlot } from "../ir/ir.ts";

/** Gives every register a number from 0 to 9. Copies of a register to itself are removed. */
export function allocateRegisters(fn: MachineFunction): MachineFunction {
  let { blocks, slots, registerCount } = fn;
  const unspillable = new Set<Register>();
  for (let round = 0; ; round++) {
    const live = liveness(blocks, registerCount);
    const remade = rematerialisable(blocks, live);
    const { colours, spilled, interfere } = colour(
      blocks,
      registerCount,
      live,
      spillCosts(blocks, registerCount, remade, unspillable),
    );
    if (spilled.length === 0)
      return { ...fn, blocks: blocks.map((block) => paint(block, colours)), slots, registerCount: FIRST_VIRTUAL };
    const spill = new Spill(slots, registerCount, new Set(spilled), remade, interfere, round === 0);
    blocks = spill.rewriteAll(blocks);
    ({ slots, registerCount } = spill);
    for (const register of spill.temporaries) unspillable.add(register);
  }
}

/** By register, the instructions that spilling it would add, weighted by loop depth. */
function spillCosts(
  blocks: readonly MachineBlock[],
  registerCount: number,
  remade: ReadonlyMap<Register, MachineInstruction>,
  unspillable: ReadonlySet<Register>,
): Float64Array {
  const cost = new Float64Array(registerCount);
  for (const block of blocks) {
    const weight = 10 ** Math.min(block.depth, 6);
    const count = (register: Register): void => {
      cost[register]! += weight;
    };
    for (const i of block.instructions) {
      forEachUse(i, count);
      const defined = isCall(i) ? undefined : definitionOf(i);
      // A rematerialised value needs no definition here.
      if (defined !== undefined) cost[defined]! += remade.has(defined) ? -weight : weight;
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
  const terminator: MachineTerminator =
    t.op !== "branch" ? t : { ...t, left: place(t.left), right: t.right === undefined ? undefined : place(t.right) };
  return { ...block, instructions, terminator };
}

/** Spills registers to stack slots: every use and definition gets a short-lived register of its own. */
class Spill {
  readonly slots: readonly StackSlot[];
  registerCount: number;
  readonly temporaries: Register[] = [];
  private readonly slotOf = new Map<Register, number>();
  /** Registers that are as cheap to recompute as to reload. */
  private readonly remade: ReadonlyMap<Register, MachineInstruction>;
  private readonly reuse: boolean;

  constructor(
    slots: readonly StackSlot[],
    registerCount: number,
    spilled: ReadonlySet<Register>,
    remade: ReadonlyMap<Register, MachineInstruction>,
    interfere: (a: Register, b: Register) => boolean,
    reuse: boolean,
  ) {
    const all = [...slots];
    let id = all.reduce((highest, slot) => Math.max(highest, slot.id), -1);
    this.remade = new Map(
      [...remade].filter(
        ([register, made]) => spilled.has(register) && !(made.space !== undefined && spilled.has(made.src)),
      ),
    );
    const places: { slot: number; members: Register[] }[] = [];
    for (const register of spilled) {
      if (this.remade.has(register)) continue;
      let shared = places.find(({ members }) => !members.some((member) => interfere(member, register)));
      if (shared === undefined)
        places.push(
          (shared = { slot: all.push({ id: ++id, size: 8, align: 8, name: "a spilled value" }) - 1, members: [] }),
        );
      shared.members.push(register);
      this.slotOf.set(register, shared.slot);
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

  rewriteAll(blocks: readonly MachineBlock[]): MachineBlock[] {
    const predecessors: number[][] = blocks.map(() => []);
    blocks.forEach(({ terminator }, b) => {
      for (const next of successorsOf(terminator)) predecessors[next]!.push(b);
    });
    const atEnd: Map<Register, Register>[] = [];
    const out = [...blocks];
    for (const b of blockOrder(blocks)) {
      // Values that every predecessor has reloaded are still there, unless one of them comes later.
      const [first, ...others] = predecessors[b]!.map((from) => atEnd[from]);
      const loaded = new Map(first);
      for (const other of others)
        for (const [register, at] of loaded) if (other?.get(register) !== at) loaded.delete(register);
      out[b] = this.rewrite(blocks[b]!, loaded);
      atEnd[b] = loaded;
    }
    return out;
  }

  /** `loaded`: reloaded values and their registers, valid until a call or a write to the original. Updated in place. */
  private rewrite(block: MachineBlock, loaded: Map<Register, Register>): MachineBlock {
    const out: MachineInstruction[] = [];
    const isSpilled = (register: Register): boolean => this.slotOf.has(register) || this.remade.has(register);
    const fetch = (register: Register, at: MachineInstruction["source"], into?: Register): Register => {
      if (!isSpilled(register)) return register;
      const known = loaded.get(register);
      if (known !== undefined && into === undefined) return known;
      const to = into ?? this.temporary();
      const made = this.remade.get(register);
      if (known !== undefined) out.push(instruction(Opcode.MOVE64, to, known, 0, 0, at));
      else if (made !== undefined) out.push({ ...made, dst: to, source: at });
      else
        out.push(
          instruction(loadOpcode(8), to, FRAME_POINTER, 0, 0, at, { slot: this.slotOf.get(register)!, space: "stack" }),
        );
      if (this.reuse && into === undefined) loaded.set(register, to);
      return to;
    };
    block.instructions.forEach((i, index) => {
      if (isCall(i)) {
        out.push(i);
        loaded.clear();
        return;
      }
      const defined = definitionOf(i);
      if (defined !== undefined && this.remade.has(defined)) return;
      const slot = defined === undefined ? undefined : this.slotOf.get(defined);
      const next = block.instructions[index + 1];
      /** The next instruction changes it again, so it need not be stored yet. */
      const passing = next !== undefined && !isCall(next) && definitionOf(next) === defined;
      if (isMove(i)) {
        if (slot !== undefined) {
          const copy = this.temporary();
          if (isSpilled(i.src)) fetch(i.src, i.source, copy);
          else out.push({ ...i, dst: copy });
          if (!passing)
            out.push(instruction(storeOpcode(8), FRAME_POINTER, copy, 0, 0, i.source, { slot, space: "stack" }));
          loaded.delete(i.dst);
          if (this.reuse || passing) loaded.set(i.dst, copy);
        } else {
          if (isSpilled(i.src)) fetch(i.src, i.source, i.dst);
          else out.push(i);
        }
        return;
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
        if (!passing)
          out.push(
            instruction(storeOpcode(8), FRAME_POINTER, replaced.get(defined)!, 0, 0, i.source, {
              slot,
              space: "stack",
            }),
          );
        if (this.reuse || passing) loaded.set(defined, replaced.get(defined)!);
      }
    });
    const t = block.terminator;
    const terminator: MachineTerminator =
      t.op !== "branch"
        ? t
        : { ...t, left: fetch(t.left, t.source), right: t.right === undefined ? undefined : fetch(t.right, t.source) };
    return { ...block, instructions: out, terminator };
  }
}

/**
 * Registers that are as cheap to recompute as to keep: set once, to a constant or
 * to a context field that does not change during their lifetime. By register, the
 * instruction.
 */
function rematerialisable(
  blocks: readonly MachineBlock[],
  { words, liveOut }: Liveness,
): ReadonlyMap<Register, MachineInstruction> {
  const definitions = new Map<Register, MachineInstruction>();
  const several = new Set<Register>();
  const stores: { block: number; index: number; instruction: MachineInstruction }[] = [];
  blocks.forEach(({ instructions }, block) =>
    instructions.forEach((i, index) => {
      if (i.space === "context" && !isLoad(i)) stores.push({ block, index, instruction: i });
      const defined = isCall(i) ? undefined : definitionOf(i);
      if (defined === undefined || defined < FIRST_VIRTUAL) return;
      if (definitions.has(defined)) several.add(defined);
      else definitions.set(defined, i);
    }),
  );
  const found = new Map<Register, MachineInstruction>();
  const fields: [Register, MachineInstruction][] = [];
  for (const [register, i] of definitions) {
    if (several.has(register)) continue;
    if (i.opcode === Opcode.LDDW || i.opcode === Opcode.MOVE64_IMMEDIATE || i.opcode === Opcode.MOVE32_IMMEDIATE)
      found.set(register, i);
    else if (i.reloadable && definitions.has(i.src) && !several.has(i.src)) fields.push([register, i]);
  }
  if (fields.length === 0) return found;
  const changed = new Set<Register>();
  for (const { block, index, instruction: store } of stores) {
    const overwritten = fields.filter(
      ([, load]) => load.offset < store.offset + bytesOf(store) && store.offset < load.offset + bytesOf(load),
    );
    if (overwritten.length === 0) continue;
    const read = readBehind(blocks[block]!, index);
    for (const [register] of overwritten)
      if (read.has(register) || isLive(liveOut, words, block, register)) changed.add(register);
  }
  for (const [register, i] of fields) if (!changed.has(register)) found.set(register, i);
  return found;
}

const isLoad = (i: MachineInstruction): boolean => (i.opcode & 7) === InstructionClass.LDX;
const bytesOf = (i: MachineInstruction): number => [4, 2, 1, 8][(i.opcode >> 3) & 3]!;

/** The registers that the rest of the block reads. */
function readBehind(block: MachineBlock, index: number): ReadonlySet<Register> {
  const read = new Set<Register>();
  const use = (register: Register): void => {
    read.add(register);
  };
  for (let i = index + 1; i < block.instructions.length; i++) forEachUse(block.instructions[i]!, use);
  forEachTerminatorUse(block.terminator, use);
  return read;
}
