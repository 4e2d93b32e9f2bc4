/**
 * Writes machine instructions for SSA values: assigns registers to values and
 * brings values into registers. Constants, stack addresses and map pointers keep no
 * register of their own: they are loaded again wherever they are needed.
 */
import type { SourceLocation } from "../../asm/index.ts";
import { controlFlow, definitionsOf, loopDepths, useCounts, type ControlFlow } from "../ir/analysis.ts";
import type { IrFunction, IrInstruction, Operation, StackSlot, Value } from "../ir/ir.ts";
import type { InstructionSet } from "../instruction-set.ts";
import {
  FIRST_VIRTUAL,
  FRAME_POINTER,
  instruction,
  type InstructionExtra,
  type MachineBlock,
  type MachineFunction,
  type MachineInstruction,
  type MachineTerminator,
  type Register,
} from "./machine.ts";
import { arithmeticCode, InstructionClass, Opcode, Pseudo } from "./opcode.ts";
import { reloadableFields } from "./reloadable.ts";
import { wholeReads } from "./whole-reads.ts";

/** Whether a 32-bit immediate, which is sign-extended, can hold it. */
export const fitsImmediate = (value: bigint): boolean => BigInt.asIntN(32, value) === value;

export interface Address {
  readonly base: Register;
  readonly offset: number;
  readonly slot: number | undefined;
}

export class MachineWriter {
  readonly fn: IrFunction;
  readonly isa: InstructionSet;
  readonly flow: ControlFlow;
  private readonly definitions: readonly (IrInstruction | undefined)[];
  /** By value id, its number of uses. */
  readonly uses: Int32Array;
  /** By value id: an i32 whose upper half is read. */
  readonly readWhole: Uint8Array;
  /** By value id: a repeatable load from the context. */
  readonly reloadable: Uint8Array;
  private readonly registers: Int32Array;
  private nextRegister = FIRST_VIRTUAL;
  private readonly slots: StackSlot[] = [];
  private readonly slotIndexes = new Map<number, number>();
  private readonly blocks: MachineBlock[];
  private current: MachineInstruction[] = [];
  /** The source line of the next instructions. */
  source: SourceLocation | undefined;
  /** Constants in registers, since the block's start or the last call. */
  private readonly held = new Map<bigint, Register>();
  /** Index of the current block. */
  at = 0;

  constructor(fn: IrFunction, isa: InstructionSet) {
    this.fn = fn;
    this.isa = isa;
    this.flow = controlFlow(fn);
    this.blocks = Array.from(loopDepths(this.flow), emptyBlock);
    this.definitions = definitionsOf(fn);
    this.uses = useCounts(fn);
    this.registers = new Int32Array(this.uses.length);
    this.readWhole = wholeReads(fn, isa);
    this.reloadable = reloadableFields(fn, this.uses.length);
  }

  /** Continues in another block. The function's own blocks are numbered by position. */
  start(index: number): void {
    this.at = index;
    this.current = this.blocks[index]!.instructions;
    this.held.clear();
  }

  /** The number of a new block, in the same loops as the current one. */
  newBlock(): number {
    return this.blocks.push(emptyBlock(this.blocks[this.at]!.depth)) - 1;
  }

  /** After a call, reloading a constant is cheaper than keeping it. */
  forgetConstants(): void {
    this.held.clear();
  }

  end(terminator: MachineTerminator): void {
    this.blocks[this.at]!.terminator = terminator;
  }

  emit(
    opcode: number,
    dst: Register,
    src: Register,
    offset: number,
    immediate: number,
    extra?: InstructionExtra,
  ): void {
    this.current.push(instruction(opcode, dst, src, offset, immediate, this.source, extra));
  }

  newRegister(): Register {
    return this.nextRegister++;
  }

  move(dst: Register, src: Register): void {
    if (dst !== src) this.emit(Opcode.MOVE64, dst, src, 0, 0);
  }

  loadConstant(dst: Register, value: bigint): void {
    const bits = BigInt.asUintN(64, value);
    if (fitsImmediate(BigInt.asIntN(64, bits))) {
      this.emit(Opcode.MOVE64_IMMEDIATE, dst, 0, 0, Number(BigInt.asIntN(32, bits)));
    } else if (bits < 1n << 32n && this.isa >= 3) {
      this.emit(Opcode.MOVE32_IMMEDIATE, dst, 0, 0, Number(BigInt.asIntN(32, bits)));
    } else {
      this.emit(Opcode.LDDW, dst, 0, 0, Number(BigInt.asIntN(32, bits)), {
        immediateHigh: Number(BigInt.asIntN(32, bits >> 32n)),
      });
    }
  }

  /** Clears the upper half. */
  clean(register: Register): void {
    if (this.isa >= 3) {
      this.emit(Opcode.MOVE32, register, register, 0, 0);
    } else {
      this.shift64("lsh", register, 32);
      this.shift64("rsh", register, 32);
    }
  }

  shift64(operator: "lsh" | "rsh" | "arsh", register: Register, by: number): void {
    this.emit(arithmeticCode(operator) | InstructionClass.ALU64, register, 0, 0, by);
  }

  operation(value: Value): Operation | undefined {
    return this.definitions[value.id]?.operation;
  }

  /** The constant as its register holds it: an i32 unsigned, others signed. */
  constantOf(value: Value): bigint | undefined {
    const operation = this.operation(value);
    if (operation?.op !== "constant") return undefined;
    return value.type === "i32" ? BigInt.asUintN(32, operation.value) : BigInt.asIntN(64, operation.value);
  }

  /** The operand as a 32-bit immediate, if it fits. */
  immediateOf(value: Value, wide: boolean): number | undefined {
    const constant = this.constantOf(value);
    if (constant === undefined) return undefined;
    if (!wide) return Number(BigInt.asIntN(32, constant));
    return fitsImmediate(constant) ? Number(constant) : undefined;
  }

  slotIndex(slot: StackSlot): number {
    let index = this.slotIndexes.get(slot.id);
    if (index === undefined) {
      index = this.slots.push(slot) - 1;
      this.slotIndexes.set(slot.id, index);
    }
    return index;
  }

  /** The register of an SSA value. */
  register(value: Value): Register {
    const known = this.registers[value.id]!;
    if (known !== 0) return known;
    return (this.registers[value.id] = this.newRegister());
  }

  isMadeAnew(value: Value): boolean {
    switch (this.operation(value)?.op) {
      case "constant":
      case "stack":
      case "map":
      case "map-value":
      case "function":
        return true;
      default:
        return false;
    }
  }

  /** Brings a value into the given register. */
  into(dst: Register, value: Value): void {
    const operation = this.operation(value);
    switch (operation?.op) {
      case "constant":
        this.loadConstant(dst, this.constantOf(value)!);
        return;
      case "stack":
        this.emit(Opcode.MOVE64, dst, FRAME_POINTER, 0, 0);
        this.emit(arithmeticCode("add") | InstructionClass.ALU64, dst, 0, 0, 0, {
          slot: this.slotIndex(operation.slot),
        });
        return;
      case "map":
        this.emit(Opcode.LDDW, dst, Pseudo.MAP, 0, 0, {
          immediateHigh: 0,
          reference: { kind: "map", name: operation.map.name },
        });
        return;
      case "map-value":
        this.emit(Opcode.LDDW, dst, Pseudo.MAP_VALUE, 0, 0, {
          immediateHigh: operation.offset,
          reference: { kind: "map-value", name: operation.map.name, offset: operation.offset },
        });
        return;
      case "function":
        this.emit(Opcode.LDDW, dst, Pseudo.FUNCTION, 0, 0, {
          immediateHigh: 0,
          reference: { kind: "function", name: operation.name },
        });
        return;
      default:
        this.move(dst, this.register(value));
    }
  }

  /** A register that holds the value; not to be written. */
  read(value: Value): Register {
    if (!this.isMadeAnew(value)) return this.register(value);
    const constant = this.constantOf(value);
    if (constant !== undefined) {
      const held = this.held.get(constant);
      if (held !== undefined) return held;
    }
    const made = this.newRegister();
    this.into(made, value);
    if (constant !== undefined) this.held.set(constant, made);
    return made;
  }

  copy(value: Value): Register {
    const made = this.newRegister();
    this.into(made, value);
    return made;
  }

  address(address: Value, offset: number): Address {
    const operation = this.operation(address);
    if (operation?.op === "stack") return { base: FRAME_POINTER, offset, slot: this.slotIndex(operation.slot) };
    return { base: this.read(address), offset, slot: undefined };
  }

  /** The finished function. */
  finish(): MachineFunction {
    return { name: this.fn.name, blocks: this.blocks, slots: this.slots, registerCount: this.nextRegister };
  }
}

const emptyBlock = (depth: number): MachineBlock => ({
  instructions: [],
  terminator: { op: "exit", source: undefined },
  depth,
});
