import { AsmError } from "../error.ts";
import type { Reference } from "../instruction.ts";
import type { Register, Register32 } from "../register.ts";

/**
 * The target of a jump: a label, or the number of slots to skip from the next
 * instruction (-1 jumps to itself; an `lddw` is two slots).
 */
export type JumpTarget = string | number;

/**
 * The immediate field for `value`. A 64-bit operation sign-extends it, so the range
 * is -2^31 to 2^31-1. A 32-bit operation also takes 2^31 to 2^32-1, as the same bits.
 * @throws {AsmError} for a value out of range.
 */
export function immediateField(value: number, bits: 32 | 64, name: string): number {
  const field = value | 0;
  if (field === value || (bits === 32 && value >>> 0 === value)) return field;
  throw new AsmError(
    Number.isInteger(value) && value >= -0x8000_0000 && value <= 0xffff_ffff
      ? `${name}: the immediate ${value} would be sign-extended to 64 bits: load it with lddw, or use the w register`
      : `${name}: the immediate is a whole number of 32 bits, not ${value}` +
          (Number.isInteger(value) ? "; lddw loads 64 bits" : ""),
  );
}

/** @throws {AsmError} where `value` does not fit a signed 16-bit offset. */
export function offsetField(value: number, name: string): number {
  if ((value << 16) >> 16 === value) return value;
  throw new AsmError(`${name}: the offset is a whole number from -32768 to 32767, not ${value}`);
}

/** @throws {AsmError} for a 64-bit register with a 32-bit one. */
export function sameWidth(dst: Register | Register32, src: Register | Register32, name: string): void {
  if (dst.bits !== src.bits) {
    throw new AsmError(
      `${name}: both registers must have the same width, unlike ${registerName(dst)} and ${registerName(src)}`,
    );
  }
}

export const registerName = (register: Register | Register32): string =>
  `${register.bits === 64 ? "r" : "w"}${register.number}`;

export const labelReference = (name: string): Reference => ({ kind: "label", name });
