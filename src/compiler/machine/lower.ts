/**
 * Instruction selection: from SSA values to two-address instructions over
 * virtual registers. Constants, stack addresses and map pointers get no register
 * of their own: they are made again wherever one is needed.
 */
import type { SourceLocation } from "../../asm/instruction.ts";
import { controlFlow, definitionsOf, useCounts, type ControlFlow } from "../ir/analysis.ts";
import { isSignedComparison, swappedComparison } from "../ir/comparison.ts";
import type { BinaryOperator, Block, Comparison, IrFunction, IrInstruction, Operation, StackSlot, Target, Value } from "../ir/ir.ts";
import {
  FIRST_VIRTUAL, FRAME_POINTER, instruction,
  type MachineBlock, type MachineFunction, type MachineInstruction, type MachineTerminator, type Register,
} from "./machine.ts";
import { inSequence, type Copy } from "./parallel-copies.ts";
import { wholeReads } from "./whole-reads.ts";
import { reloadableFields } from "./reloadable.ts";
import {
  arithmeticCode, AtomicOperation, atomicOpcode, InstructionClass, loadOpcode, Opcode, Pseudo, REGISTER_SOURCE, storeImmediateOpcode, storeOpcode,
} from "./opcode.ts";

/** Instruction sets as clang's -mcpu counts them: 2 adds the `<` and `<=` jumps, 3 32-bit jumps, 4 sign extension, signed division, far jumps. */
export type InstructionSet = 1 | 2 | 3 | 4;

export function lower(fn: IrFunction, isa: InstructionSet): MachineFunction {
  return new Lowering(fn, isa).run();
}

const fitsImmediate = (value: bigint): boolean => BigInt.asIntN(32, value) === value;

const commutative = new Set<BinaryOperator>(["add", "mul", "and", "or", "xor"]);

const isShift = (operator: BinaryOperator): boolean => operator === "lsh" || operator === "rsh" || operator === "arsh";
const isDivision = (operator: BinaryOperator): boolean => operator === "div" || operator === "mod" || operator === "sdiv" || operator === "smod";

interface Address { readonly base: Register; readonly offset: number; readonly slot: number | undefined }

class Lowering {
  private readonly fn: IrFunction;
  private readonly isa: InstructionSet;
  private readonly flow: ControlFlow;
  private readonly definitions: readonly (IrInstruction | undefined)[];
  private readonly uses: Int32Array;
  /** By value id: an i32 of which somebody reads the upper half. */
  private readonly readWhole: Uint8Array;
  private readonly reloadable: Uint8Array;
  private readonly registers: Int32Array;
  private nextRegister = FIRST_VIRTUAL;
  private readonly slots: StackSlot[] = [];
  private readonly slotIndexes = new Map<number, number>();
  private readonly blocks: MachineBlock[] = [];
  private current: MachineInstruction[] = [];
  private depth = 0;
  private source: SourceLocation | undefined;
  /** Constants that already are in a register, since the block's start or the last call. */
  private readonly held = new Map<bigint, Register>();

  constructor(fn: IrFunction, isa: InstructionSet) {
    this.fn = fn;
    this.isa = isa;
    this.flow = controlFlow(fn);
    this.definitions = definitionsOf(fn);
    this.uses = useCounts(fn);
    this.registers = new Int32Array(this.uses.length);
    this.readWhole = wholeReads(fn, isa);
    this.reloadable = reloadableFields(fn, this.uses.length);
  }

  run(): MachineFunction {
    for (let i = 0; i < this.flow.blocks.length; i++) {
      this.blocks.push({ instructions: [], terminator: { op: "exit", source: undefined }, depth: this.flow.depth[i]! });
    }
    for (let i = 0; i < this.flow.blocks.length; i++) this.lowerBlock(this.flow.blocks[i]!, i);
    return { name: this.fn.name, blocks: this.blocks, slots: this.slots, registerCount: this.nextRegister };
  }

  private lowerBlock(block: Block, index: number): void {
    this.start(index);
    this.depth = this.flow.depth[index]!;
    if (index === 0) {
      this.fn.parameters.forEach((parameter, i) => this.move(this.register(parameter), i + 1));
    }
    for (const { result, operation, source } of block.instructions) {
      this.source = source ?? this.source;
      this.lowerOperation(operation, result);
    }
    this.source = block.terminator.source ?? this.source;
    this.lowerTerminator(block);
  }

  private at = 0;

  private start(index: number): void {
    this.at = index;
    this.current = this.blocks[index]!.instructions;
    this.held.clear();
  }

  private newBlock(): number {
    this.blocks.push({ instructions: [], terminator: { op: "exit", source: undefined }, depth: this.depth });
    return this.blocks.length - 1;
  }

  private end(terminator: MachineTerminator): void {
    this.blocks[this.at]!.terminator = terminator;
  }

  // Emitting

  private emit(opcode: number, dst: Register, src: Register, offset: number, immediate: number): void {
    this.current.push(instruction(opcode, dst, src, offset, immediate, this.source));
  }

  private newRegister(): Register {
    return this.nextRegister++;
  }

  private move(dst: Register, src: Register): void {
    if (dst !== src) this.emit(Opcode.MOVE64, dst, src, 0, 0);
  }

  private loadConstant(dst: Register, value: bigint): void {
    const bits = BigInt.asUintN(64, value);
    if (fitsImmediate(BigInt.asIntN(64, bits))) {
      this.emit(Opcode.MOVE64_IMMEDIATE, dst, 0, 0, Number(BigInt.asIntN(32, bits)));
    } else if (bits < 1n << 32n && this.isa >= 3) {
      this.emit(Opcode.MOVE32_IMMEDIATE, dst, 0, 0, Number(BigInt.asIntN(32, bits)));
    } else {
      this.current.push(instruction(Opcode.LDDW, dst, 0, 0, Number(BigInt.asIntN(32, bits)), this.source, { immediateHigh: Number(BigInt.asIntN(32, bits >> 32n)) }));
    }
  }

  /** Clears the upper half. */
  private clean(register: Register): void {
    if (this.isa >= 3) {
      this.emit(Opcode.MOVE32, register, register, 0, 0);
    } else {
      this.shift64("lsh", register, 32);
      this.shift64("rsh", register, 32);
    }
  }

  private shift64(operator: "lsh" | "rsh" | "arsh", register: Register, by: number): void {
    this.emit(arithmeticCode(operator) | InstructionClass.ALU64, register, 0, 0, by);
  }

  // Values

  private operation(value: Value): Operation | undefined {
    return this.definitions[value.id]?.operation;
  }

  /** As it is in a register: an i32 unsigned, the rest as a signed number. */
  private constantOf(value: Value): bigint | undefined {
    const operation = this.operation(value);
    if (operation?.op !== "constant") return undefined;
    return value.type === "i32" ? BigInt.asUintN(32, operation.value) : BigInt.asIntN(64, operation.value);
  }

  /** What an instruction's 32-bit immediate can say for this operand. */
  private immediateOf(value: Value, wide: boolean): number | undefined {
    const constant = this.constantOf(value);
    if (constant === undefined) return undefined;
    if (!wide) return Number(BigInt.asIntN(32, constant));
    return fitsImmediate(constant) ? Number(constant) : undefined;
  }

  private slotIndex(slot: StackSlot): number {
    let index = this.slotIndexes.get(slot.id);
    if (index === undefined) {
      index = this.slots.push(slot) - 1;
      this.slotIndexes.set(slot.id, index);
    }
    return index;
  }

  /** The register that belongs to an SSA value. */
  private register(value: Value): Register {
    const known = this.registers[value.id]!;
    if (known !== 0) return known;
    return (this.registers[value.id] = this.newRegister());
  }

  private isMadeAnew(value: Value): boolean {
    switch (this.operation(value)?.op) {
      case "constant": case "stack": case "map": case "map-value": case "function": return true;
      default: return false;
    }
  }

  /** Puts a value into a register of the caller's choice. */
  private into(dst: Register, value: Value): void {
    const operation = this.operation(value);
    switch (operation?.op) {
      case "constant":
        this.loadConstant(dst, this.constantOf(value)!);
        return;
      case "stack":
        this.emit(Opcode.MOVE64, dst, FRAME_POINTER, 0, 0);
        this.current.push(instruction(arithmeticCode("add") | InstructionClass.ALU64, dst, 0, 0, 0, this.source, { slot: this.slotIndex(operation.slot) }));
        return;
      case "map":
        this.current.push(instruction(Opcode.LDDW, dst, Pseudo.MAP, 0, 0, this.source, { immediateHigh: 0, reference: { kind: "map", name: operation.map.name } }));
        return;
      case "map-value":
        this.current.push(instruction(Opcode.LDDW, dst, Pseudo.MAP_VALUE, 0, 0, this.source, {
          immediateHigh: operation.offset, reference: { kind: "map-value", name: operation.map.name, offset: operation.offset },
        }));
        return;
      case "function":
        this.current.push(instruction(Opcode.LDDW, dst, Pseudo.FUNCTION, 0, 0, this.source, { immediateHigh: 0, reference: { kind: "function", name: operation.name } }));
        return;
      default:
        this.move(dst, this.register(value));
    }
  }

  /** A register that holds the value and is not to be written. */
  private read(value: Value): Register {
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

  private copy(value: Value): Register {
    const made = this.newRegister();
    this.into(made, value);
    return made;
  }

  private address(address: Value, offset: number): Address {
    const operation = this.operation(address);
    if (operation?.op === "stack") return { base: FRAME_POINTER, offset, slot: this.slotIndex(operation.slot) };
    return { base: this.read(address), offset, slot: undefined };
  }

  // Operations

  private lowerOperation(operation: Operation, result: Value | undefined): void {
    switch (operation.op) {
      case "constant": case "stack": case "map": case "map-value": case "function":
        return;
      case "binary":
        if (result !== undefined) this.binary(result, operation.operator, operation.left, operation.right);
        return;
      case "negate": {
        if (result === undefined) return;
        const dst = this.register(result);
        this.into(dst, operation.operand);
        const narrow = result.type === "i32" && this.isa >= 3;
        this.emit(narrow ? Opcode.NEGATE32 : Opcode.NEGATE64, dst, 0, 0, 0);
        if (result.type === "i32" && !narrow) this.clean(dst);
        return;
      }
      case "byteswap": {
        if (result === undefined) return;
        const dst = this.register(result);
        this.into(dst, operation.operand);
        this.emit(this.isa >= 4 ? Opcode.BYTESWAP : Opcode.TO_BIG_ENDIAN, dst, 0, 0, operation.bits);
        return;
      }
      case "extend":
        if (result !== undefined) this.extend(result, operation.bits, operation.signed, operation.operand);
        return;
      case "truncate": {
        if (result === undefined) return;
        this.lowHalf(this.register(result), this.read(operation.operand), result);
        return;
      }
      case "load":
        this.load(operation, result);
        return;
      case "store":
        this.store(operation);
        return;
      case "atomic":
        this.atomic(operation, result);
        return;
      case "compare-exchange":
        this.compareExchange(operation, result);
        return;
      case "call":
        this.call(operation.arguments, result, { immediate: operation.helper });
        return;
      case "call-function":
        this.call(operation.arguments, result, { immediate: 0, src: Pseudo.CALL_FUNCTION, reference: { kind: "label", name: operation.name } });
        return;
      case "call-kernel":
        this.call(operation.arguments, result, { immediate: 0, src: Pseudo.CALL_KERNEL, reference: { kind: "kernel-function", name: operation.name } });
        return;
      case "assembly":
        this.call(operation.arguments, result, { immediate: 0, items: operation.items });
        return;
      case "compare":
        if (result !== undefined) this.compare(result, operation.comparison, operation.left, operation.right);
        return;
    }
  }

  private binary(result: Value, operator: BinaryOperator, left: Value, right: Value): void {
    if (commutative.has(operator)) {
      // A constant goes to the right, and what is wanted again afterwards is better left unchanged.
      const swap = this.constantOf(left) !== undefined || (this.constantOf(right) === undefined && !this.isMadeAnew(left) && left.type !== "ptr" && this.uses[left.id]! > 1 && this.uses[right.id]! === 1);
      if (swap) [left, right] = [right, left];
    }
    const narrow = result.type === "i32" && this.isa >= 3;
    const dst = this.register(result);
    if (this.constantOf(right) === 0n && isDivision(operator)) {
      // The verifier refuses a constant 0 there; what comes out is known anyway.
      if (operator === "div" || operator === "sdiv") this.loadConstant(dst, 0n);
      else this.into(dst, left);
      return;
    }
    const opcode = arithmeticCode(operator) | (narrow ? InstructionClass.ALU : InstructionClass.ALU64);
    const offset = operator === "sdiv" || operator === "smod" ? 1 : 0;
    if (result.type === "i32" && !narrow) {
      this.binaryIn64(dst, operator, left, right);
      return;
    }
    const immediate = this.immediateOf(right, !narrow);
    if (immediate !== undefined) {
      this.into(dst, left);
      this.emit(opcode, dst, 0, offset, isShift(operator) ? immediate & (narrow ? 31 : 63) : immediate);
    } else {
      const src = this.read(right);
      this.into(dst, left);
      this.emit(opcode | REGISTER_SOURCE, dst, src, offset, 0);
    }
  }

  /** 32-bit arithmetic where there are only 64-bit instructions. */
  private binaryIn64(dst: Register, operator: BinaryOperator, left: Value, right: Value): void {
    const opcode = arithmeticCode(operator) | InstructionClass.ALU64;
    const constant = this.constantOf(right);
    let immediate: number | undefined;
    let src = 0;
    if (isShift(operator) && constant !== undefined) {
      immediate = Number(constant & 31n);
    } else if (constant !== undefined && fitsImmediate(constant)) {
      immediate = Number(constant);
    } else if (isShift(operator)) {
      src = this.copy(right);
      this.emit(arithmeticCode("and") | InstructionClass.ALU64, src, 0, 0, 31);
    } else {
      src = this.read(right);
    }
    this.into(dst, left);
    if (operator === "arsh") {
      this.shift64("lsh", dst, 32);
      this.shift64("arsh", dst, 32);
    }
    if (immediate !== undefined) this.emit(opcode, dst, 0, 0, immediate);
    else this.emit(opcode | REGISTER_SOURCE, dst, src, 0, 0);
    const staysClean = operator === "and" || operator === "or" || operator === "xor" || operator === "rsh" || operator === "div" || operator === "mod";
    if (!staysClean) this.clean(dst);
  }

  /** The low half of a register into that of an i32, cleaned if anybody looks at the rest. */
  private lowHalf(dst: Register, src: Register, result: Value): void {
    if (this.isa >= 3) {
      this.emit(this.readWhole[result.id] === 1 ? Opcode.MOVE32 : Opcode.MOVE64, dst, src, 0, 0);
    } else {
      this.move(dst, src);
      this.clean(dst);
    }
  }

  private extend(result: Value, bits: 8 | 16 | 32, signed: boolean, operand: Value): void {
    const dst = this.register(result);
    const narrow = result.type === "i32" && this.isa >= 3;
    const kind = narrow ? InstructionClass.ALU : InstructionClass.ALU64;
    // From 32 bits to 32 the sign has nothing to be copied to.
    if (!signed || (bits === 32 && result.type === "i32")) {
      if (bits === 32) {
        const whole = operand.type === "i32" && !this.mayBeUnclean(operand);
        if (whole) {
          this.into(dst, operand);
        } else if (this.isa >= 3) {
          this.emit(Opcode.MOVE32, dst, this.read(operand), 0, 0);
        } else {
          this.into(dst, operand);
          this.clean(dst);
        }
        return;
      }
      this.into(dst, operand);
      this.emit(arithmeticCode("and") | kind, dst, 0, 0, bits === 8 ? 0xff : 0xffff);
      return;
    }
    if (this.isa >= 4) {
      this.emit(narrow ? Opcode.MOVE32 : Opcode.MOVE64, dst, this.read(operand), bits, 0);
      return;
    }
    this.into(dst, operand);
    const width = narrow ? 32 : 64;
    if (bits < width) {
      this.emit(arithmeticCode("lsh") | kind, dst, 0, 0, width - bits);
      this.emit(arithmeticCode("arsh") | kind, dst, 0, 0, width - bits);
    }
    if (result.type === "i32" && !narrow) this.clean(dst);
  }

  /** Whether the upper half of an i32's register may be other than zero. */
  private mayBeUnclean(value: Value): boolean {
    if (this.isa < 3 || this.readWhole[value.id] === 1) return false;
    const op = this.operation(value)?.op;
    return op === "truncate" || op === "call";
  }

  private load(operation: Extract<Operation, { op: "load" }>, result: Value | undefined): void {
    const { size, signed, space } = operation;
    const { base, offset, slot } = this.address(operation.address, operation.offset);
    const dst = result === undefined ? this.newRegister() : this.register(result);
    const extended = signed && size < 8;
    const direct = extended && this.isa >= 4 && result?.type === "i64";
    const reloadable = result !== undefined && this.reloadable[result.id] === 1;
    this.current.push(instruction(loadOpcode(size, direct), dst, base, offset, 0, this.source, { slot, space, reloadable }));
    if (!extended || direct || result === undefined) return;
    const bits = size * 8;
    if (result.type === "i32" && this.isa >= 3) {
      if (size === 4) return;
      if (this.isa >= 4) {
        this.emit(Opcode.MOVE32, dst, dst, bits, 0);
      } else {
        this.emit(arithmeticCode("lsh") | InstructionClass.ALU, dst, 0, 0, 32 - bits);
        this.emit(arithmeticCode("arsh") | InstructionClass.ALU, dst, 0, 0, 32 - bits);
      }
      return;
    }
    if (result.type === "i32" && size === 4) return;
    this.shift64("lsh", dst, 64 - bits);
    this.shift64("arsh", dst, 64 - bits);
    if (result.type === "i32") this.clean(dst);
  }

  private store(operation: Extract<Operation, { op: "store" }>): void {
    const { size, space, value } = operation;
    const constant = this.constantOf(value);
    // Before 6.4 the verifier refuses to store an immediate into a context.
    if (constant !== undefined && space !== "context") {
      const stored = size === 8 ? BigInt.asIntN(64, constant) : BigInt.asIntN(32, size === 4 ? constant : BigInt.asUintN(size * 8, constant));
      if (fitsImmediate(stored)) {
        const { base, offset, slot } = this.address(operation.address, operation.offset);
        this.current.push(instruction(storeImmediateOpcode(size), base, 0, offset, Number(stored), this.source, { slot, space }));
        return;
      }
    }
    const { base, offset, slot } = this.address(operation.address, operation.offset);
    this.current.push(instruction(storeOpcode(size), base, this.read(value), offset, 0, this.source, { slot, space }));
  }

  private atomic(operation: Extract<Operation, { op: "atomic" }>, result: Value | undefined): void {
    const { operator, size, space } = operation;
    const fetch = operation.fetch && result !== undefined;
    const { base, offset, slot } = this.address(operation.address, operation.offset);
    const exchange = operator === "exchange";
    const code = AtomicOperation[operator] | (fetch ? AtomicOperation.FETCH : 0);
    const gives = fetch || exchange;
    const src = gives ? (result === undefined ? this.copy(operation.value) : this.register(result)) : this.read(operation.value);
    if (gives && result !== undefined) this.into(src, operation.value);
    this.current.push(instruction(atomicOpcode(size), base, src, offset, code, this.source, { slot, space }));
  }

  private compareExchange(operation: Extract<Operation, { op: "compare-exchange" }>, result: Value | undefined): void {
    const { size, space } = operation;
    const { base, offset, slot } = this.address(operation.address, operation.offset);
    const value = this.read(operation.value);
    this.into(0, operation.expected);
    this.current.push(instruction(atomicOpcode(size), base, value, offset, AtomicOperation.compareExchange, this.source, { slot, space }));
    if (result !== undefined) this.move(this.register(result), 0);
  }

  private call(
    values: readonly Value[], result: Value | undefined,
    what: { immediate: number; src?: number; reference?: MachineInstruction["reference"]; items?: MachineInstruction["items"] },
  ): void {
    values.forEach((value, i) => this.into(i + 1, value));
    this.current.push({
      ...instruction(Opcode.CALL, 0, what.src ?? 0, 0, what.immediate, this.source, { argumentCount: values.length }),
      reference: what.reference, items: what.items,
    });
    // What a call destroys is cheaper to make again than to keep.
    this.held.clear();
    if (result === undefined) return;
    // A helper's 32-bit result comes with an upper half that nobody vouches for.
    if (result.type === "i32" && what.src === undefined) this.lowHalf(this.register(result), 0, result);
    else this.move(this.register(result), 0);
  }

  private compare(result: Value, comparison: Comparison, left: Value, right: Value): void {
    const dst = this.register(result);
    const next = this.newBlock();
    const otherwise = this.newBlock();
    const branch = this.branch(comparison, left, right, next, otherwise);
    this.loadConstant(dst, 1n);
    this.end(branch);
    this.start(otherwise);
    this.loadConstant(dst, 0n);
    this.end({ op: "jump", target: next, source: this.source });
    this.start(next);
  }

  // Control flow

  private lowerTerminator(block: Block): void {
    const terminator = block.terminator;
    switch (terminator.op) {
      case "return":
        this.into(0, terminator.value);
        this.end({ op: "exit", source: this.source });
        return;
      case "jump":
        this.copyArguments(terminator.target);
        this.end({ op: "jump", target: this.flow.position[terminator.target.block]!, source: this.source });
        return;
      case "branch": {
        const head = this.branch(terminator.comparison, terminator.left, terminator.right, 0, 0);
        const from = this.at;
        const then = this.edge(terminator.then);
        const otherwise = this.edge(terminator.else);
        this.at = from;
        this.end({ ...head, then, else: otherwise });
        return;
      }
    }
  }

  private branch(comparison: Comparison, left: Value, right: Value, then: number, otherwise: number): Extract<MachineTerminator, { op: "branch" }> {
    if (this.constantOf(left) !== undefined && this.constantOf(right) === undefined) {
      [left, right] = [right, left];
      comparison = swappedComparison[comparison];
    }
    const source = this.source;
    const wide = left.type !== "i32" || this.isa < 3;
    if (left.type === "i32" && wide && isSignedComparison(comparison)) {
      const shifted = this.copy(left);
      this.shift64("lsh", shifted, 32);
      const other = this.copy(right);
      this.shift64("lsh", other, 32);
      return { op: "branch", comparison, wide, left: shifted, right: other, immediate: 0, then, else: otherwise, source };
    }
    const immediate = this.immediateOf(right, wide);
    return {
      op: "branch", comparison, wide, left: this.read(left),
      right: immediate === undefined ? this.read(right) : undefined, immediate: immediate ?? 0, then, else: otherwise, source,
    };
  }

  /** Where a branch goes: the block itself, or one of its own that first sets the parameters. */
  private edge(target: Target): number {
    const to = this.flow.position[target.block]!;
    if (target.arguments.length === 0) return to;
    const index = this.newBlock();
    this.start(index);
    this.copyArguments(target);
    this.end({ op: "jump", target: to, source: this.source });
    return index;
  }

  /** All of a block's parameters at once: no copy may overwrite what another still reads. */
  private copyArguments(target: Target): void {
    const parameters = this.flow.blocks[this.flow.position[target.block]!]!.parameters;
    const pending: Copy[] = [];
    const anew: { dst: Register; value: Value }[] = [];
    parameters.forEach((parameter, i) => {
      const value = target.arguments[i]!;
      const dst = this.register(parameter);
      if (this.isMadeAnew(value)) anew.push({ dst, value });
      else if (this.register(value) !== dst) pending.push({ dst, src: this.register(value) });
    });
    for (const { dst, src } of inSequence(pending, () => this.newRegister())) this.move(dst, src);
    for (const { dst, value } of anew) this.into(dst, value);
  }
}
