import { type Instruction, opcodes } from "../../asm/index.ts";
import { FRAME_SIZE } from "../memory/stack-frame.ts";
import { REGION_START } from "../memory/region.ts";

/**
 * A 64-bit operand as two JavaScript expressions for signed 32-bit halves. A register is a pair of variables of
 * the generated function.
 */
export interface Operand {
  readonly low: string;
  readonly high: string;
}

/** The pair of variables of a register; the frame pointer is constant within a function. */
export function registerOperand(number: number): Operand {
  return number === 10
    ? { low: String(REGION_START + FRAME_SIZE), high: "h10" }
    : { low: `l${number}`, high: `h${number}` };
}

/** A 32-bit immediate, sign-extended to 64 bits. */
export function immediateOperand(value: number): Operand {
  return { low: literal(value), high: value < 0 ? "(-1)" : "0" };
}

/** The source register or the immediate of an arithmetic instruction or a jump. */
export function sourceOperand(instruction: Instruction): Operand {
  return opcodes.takesRegister(instruction.opcode)
    ? registerOperand(instruction.src)
    : immediateOperand(instruction.immediate);
}

/** A signed 32-bit number, parenthesised if negative so that it can follow any operator. */
export function literal(value: number): string {
  return value < 0 ? `(${value})` : String(value);
}

/** An expression converted to unsigned. */
export function unsigned(expression: string): string {
  const number = Number(expression.replace(/[()]/g, ""));
  return Number.isNaN(number) ? `(${expression}>>>0)` : String(number >>> 0);
}
