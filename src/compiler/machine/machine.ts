/**
 * The machine form: BPF instructions in basic blocks, over any number of
 * registers. Register allocation gives each register its place, layout orders the
 * blocks.
 */
import { type Item, opcodes as bpf, type Reference, type SourceLocation } from "../../asm/index.ts";
import type { Comparison, Space, StackSlot } from "../ir/ir.ts";
import { AtomicOperation, Opcode } from "./opcode.ts";

/** 0 to 10 are the machine's registers; FIRST_VIRTUAL and up are not allocated yet. */
export type Register = number;
export const FRAME_POINTER: Register = 10;
export const FIRST_VIRTUAL: Register = 11;
/** r0 to r9: the registers that can hold values. */
export const ALLOCATABLE = 10;

export interface MachineInstruction {
  readonly opcode: number;
  readonly dst: Register;
  readonly src: Register;
  readonly offset: number;
  readonly immediate: number;
  /** Only for `lddw`. */
  readonly immediateHigh: number | undefined;
  readonly reference: Reference | undefined;
  readonly source: SourceLocation | undefined;
  /**
   * Index into the function's slots: the slot's place in the frame is added to an access's offset, or to an addition's
   * immediate.
   */
  readonly slot: number | undefined;
  /** The space of an access: instructions that differ in it are different. */
  readonly space: Space | undefined;
  /** A load that may be repeated until the context's field is written. */
  readonly reloadable: boolean;
  /** Calls and assembly: how many of r1 to r5 they read. */
  readonly argumentCount: number;
  /** Raw assembly in place of this instruction. */
  readonly items: readonly Item[] | undefined;
}

/** A conditional jump of either class. Absent `right`: the immediate. */
export interface MachineBranch {
  readonly op: "branch";
  readonly comparison: Comparison;
  /** 64 bits, or the lower 32 (JMP32). */
  readonly wide: boolean;
  readonly left: Register;
  readonly right: Register | undefined;
  readonly immediate: number;
  readonly then: number;
  readonly else: number;
  readonly source: SourceLocation | undefined;
}

export type MachineTerminator =
  | { readonly op: "jump"; readonly target: number; readonly source: SourceLocation | undefined }
  | MachineBranch
  /** Returns r0. */
  | { readonly op: "exit"; readonly source: SourceLocation | undefined };

/** Its number is its index in the function. */
export interface MachineBlock {
  instructions: MachineInstruction[];
  terminator: MachineTerminator;
  /** The number of loops around it. */
  readonly depth: number;
}

export interface MachineFunction {
  readonly name: string;
  /** The entry first. */
  readonly blocks: readonly MachineBlock[];
  readonly slots: readonly StackSlot[];
  /** One more than the highest register in use. */
  readonly registerCount: number;
}

/** Fields that only some instructions have. */
export type InstructionExtra = Partial<
  Pick<MachineInstruction, "immediateHigh" | "reference" | "slot" | "space" | "reloadable" | "argumentCount" | "items">
>;

export function instruction(
  opcode: number,
  dst: Register,
  src: Register,
  offset: number,
  immediate: number,
  source: SourceLocation | undefined,
  extra?: InstructionExtra,
): MachineInstruction {
  return {
    opcode,
    dst,
    src,
    offset,
    immediate,
    source,
    immediateHigh: extra?.immediateHigh,
    reference: extra?.reference,
    slot: extra?.slot,
    space: extra?.space,
    reloadable: extra?.reloadable ?? false,
    argumentCount: extra?.argumentCount ?? 0,
    items: extra?.items,
  };
}

/** Whether a store is an atomic operation. */
export const isAtomic = (opcode: number): boolean =>
  bpf.classOf(opcode) === bpf.BPF_STX && bpf.modeOf(opcode) === bpf.BPF_ATOMIC;

export const isCall = (i: MachineInstruction): boolean => i.opcode === Opcode.CALL || i.items !== undefined;

/** A copy of a whole register; removed if both get the same one. */
export const isMove = (i: MachineInstruction): boolean => i.opcode === Opcode.MOVE64 && i.offset === 0;

/** Calls `use` with every register that the instruction reads, except r10, which is always set. */
export function forEachUse(i: MachineInstruction, use: (register: Register) => void): void {
  if (isCall(i)) {
    for (let argument = 1; argument <= i.argumentCount; argument++) use(argument);
    return;
  }
  switch (bpf.classOf(i.opcode)) {
    case bpf.BPF_LDX:
      if (i.src !== FRAME_POINTER) use(i.src);
      return;
    case bpf.BPF_ST:
      if (i.dst !== FRAME_POINTER) use(i.dst);
      return;
    case bpf.BPF_STX:
      if (i.dst !== FRAME_POINTER) use(i.dst);
      if (i.src !== FRAME_POINTER) use(i.src);
      if (isAtomic(i.opcode) && i.immediate === AtomicOperation.compareExchange) use(0);
      return;
    case bpf.BPF_ALU:
    case bpf.BPF_ALU64: {
      const operation = bpf.operationOf(i.opcode);
      if (operation !== bpf.BPF_MOV) use(i.dst);
      if (
        bpf.takesRegister(i.opcode) &&
        operation !== bpf.BPF_END &&
        operation !== bpf.BPF_NEG &&
        i.src !== FRAME_POINTER
      )
        use(i.src);
      return;
    }
  }
}

/** Calls `define` with every register that the instruction writes or clobbers. */
export function forEachDefinition(i: MachineInstruction, define: (register: Register) => void): void {
  if (isCall(i)) {
    for (let register = 0; register <= 5; register++) define(register);
    return;
  }
  const definition = definitionOf(i);
  if (definition !== undefined) define(definition);
}

/** The register that an instruction other than a call writes. */
export function definitionOf(i: MachineInstruction): Register | undefined {
  switch (bpf.classOf(i.opcode)) {
    case bpf.BPF_LD:
    case bpf.BPF_LDX:
    case bpf.BPF_ALU:
    case bpf.BPF_ALU64:
      return i.dst;
    case bpf.BPF_STX:
      if (!isAtomic(i.opcode)) return undefined;
      if (i.immediate === AtomicOperation.compareExchange) return 0;
      return (i.immediate & AtomicOperation.FETCH) !== 0 ? i.src : undefined;
    default:
      return undefined;
  }
}

export function forEachTerminatorUse(t: MachineTerminator, use: (register: Register) => void): void {
  if (t.op === "exit") use(0);
  else if (t.op === "branch") {
    if (t.left !== FRAME_POINTER) use(t.left);
    if (t.right !== undefined && t.right !== FRAME_POINTER) use(t.right);
  }
}

export function successorsOf(t: MachineTerminator): readonly number[] {
  if (t.op === "exit") return [];
  if (t.op === "jump") return [t.target];
  return t.then === t.else ? [t.then] : [t.then, t.else];
}

/** The same instruction or jump with other registers. */
export function withRegisters(i: MachineInstruction, dst: Register, src: Register): MachineInstruction {
  return dst === i.dst && src === i.src ? i : { ...i, dst, src };
}
