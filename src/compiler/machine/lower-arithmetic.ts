/** Arithmetic, including 32-bit arithmetic with 64-bit instructions only. */
import type { BinaryOperator, Value } from "../ir/ir.ts";
import { fitsImmediate, type MachineWriter } from "./machine-writer.ts";
import type { Register } from "./machine.ts";
import { arithmeticCode, InstructionClass, Opcode, REGISTER_SOURCE } from "./opcode.ts";

const commutative: ReadonlySet<BinaryOperator> = new Set(["add", "mul", "and", "or", "xor"]);

const isShift = (operator: BinaryOperator): boolean => operator === "lsh" || operator === "rsh" || operator === "arsh";
const isDivision = (operator: BinaryOperator): boolean =>
  operator === "div" || operator === "mod" || operator === "sdiv" || operator === "smod";

export function binary(
  writer: MachineWriter,
  result: Value,
  operator: BinaryOperator,
  left: Value,
  right: Value,
): void {
  if (commutative.has(operator)) {
    // Constants go to the right. An operand with later uses is better left unchanged.
    const swap =
      writer.constantOf(left) !== undefined ||
      (writer.constantOf(right) === undefined &&
        !writer.isMadeAnew(left) &&
        left.type !== "ptr" &&
        writer.uses[left.id]! > 1 &&
        writer.uses[right.id]! === 1);
    if (swap) [left, right] = [right, left];
  }
  const narrow = result.type === "i32" && writer.isa >= 3;
  const dst = writer.register(result);
  if (writer.constantOf(right) === 0n && isDivision(operator)) {
    // The verifier refuses a constant 0 divisor; the result is known anyway.
    if (operator === "div" || operator === "sdiv") writer.loadConstant(dst, 0n);
    else writer.into(dst, left);
    return;
  }
  const opcode = arithmeticCode(operator) | (narrow ? InstructionClass.ALU : InstructionClass.ALU64);
  const offset = operator === "sdiv" || operator === "smod" ? 1 : 0;
  if (result.type === "i32" && !narrow) {
    binaryIn64(writer, dst, operator, left, right);
    return;
  }
  const immediate = writer.immediateOf(right, !narrow);
  if (immediate !== undefined) {
    writer.into(dst, left);
    writer.emit(opcode, dst, 0, offset, isShift(operator) ? immediate & (narrow ? 31 : 63) : immediate);
  } else {
    const src = writer.read(right);
    writer.into(dst, left);
    writer.emit(opcode | REGISTER_SOURCE, dst, src, offset, 0);
  }
}

/** 32-bit arithmetic with 64-bit instructions only. */
function binaryIn64(writer: MachineWriter, dst: Register, operator: BinaryOperator, left: Value, right: Value): void {
  const opcode = arithmeticCode(operator) | InstructionClass.ALU64;
  const constant = writer.constantOf(right);
  let immediate: number | undefined;
  let src = 0;
  if (isShift(operator) && constant !== undefined) {
    immediate = Number(constant & 31n);
  } else if (constant !== undefined && fitsImmediate(constant)) {
    immediate = Number(constant);
  } else if (isShift(operator)) {
    src = writer.copy(right);
    writer.emit(arithmeticCode("and") | InstructionClass.ALU64, src, 0, 0, 31);
  } else {
    src = writer.read(right);
  }
  writer.into(dst, left);
  if (operator === "arsh") {
    writer.shift64("lsh", dst, 32);
    writer.shift64("arsh", dst, 32);
  }
  if (immediate !== undefined) writer.emit(opcode, dst, 0, 0, immediate);
  else writer.emit(opcode | REGISTER_SOURCE, dst, src, 0, 0);
  const staysClean =
    operator === "and" ||
    operator === "or" ||
    operator === "xor" ||
    operator === "rsh" ||
    operator === "div" ||
    operator === "mod";
  if (!staysClean) writer.clean(dst);
}

/** Copies the low half of a register to that of an i32, and clears the upper half if it is read. */
export function lowHalf(writer: MachineWriter, dst: Register, src: Register, result: Value): void {
  if (writer.isa >= 3) {
    writer.emit(writer.readWhole[result.id] === 1 ? Opcode.MOVE32 : Opcode.MOVE64, dst, src, 0, 0);
  } else {
    writer.move(dst, src);
    writer.clean(dst);
  }
}

export function extend(writer: MachineWriter, result: Value, bits: 8 | 16 | 32, signed: boolean, operand: Value): void {
  const dst = writer.register(result);
  const narrow = result.type === "i32" && writer.isa >= 3;
  const kind = narrow ? InstructionClass.ALU : InstructionClass.ALU64;
  // From 32 bits to 32 there is nothing to extend.
  if (!signed || (bits === 32 && result.type === "i32")) {
    if (bits === 32) {
      const whole = operand.type === "i32" && !mayBeUnclean(writer, operand);
      if (whole) {
        writer.into(dst, operand);
      } else if (writer.isa >= 3) {
        writer.emit(Opcode.MOVE32, dst, writer.read(operand), 0, 0);
      } else {
        writer.into(dst, operand);
        writer.clean(dst);
      }
      return;
    }
    writer.into(dst, operand);
    writer.emit(arithmeticCode("and") | kind, dst, 0, 0, bits === 8 ? 0xff : 0xffff);
    return;
  }
  if (writer.isa >= 4) {
    writer.emit(narrow ? Opcode.MOVE32 : Opcode.MOVE64, dst, writer.read(operand), bits, 0);
    return;
  }
  writer.into(dst, operand);
  const width = narrow ? 32 : 64;
  if (bits < width) {
    writer.emit(arithmeticCode("lsh") | kind, dst, 0, 0, width - bits);
    writer.emit(arithmeticCode("arsh") | kind, dst, 0, 0, width - bits);
  }
  if (result.type === "i32" && !narrow) writer.clean(dst);
}

/** Whether the upper half of an i32's register may be nonzero. */
function mayBeUnclean(writer: MachineWriter, value: Value): boolean {
  if (writer.isa < 3 || writer.readWhole[value.id] === 1) return false;
  const op = writer.operation(value)?.op;
  return op === "truncate" || op === "call";
}
