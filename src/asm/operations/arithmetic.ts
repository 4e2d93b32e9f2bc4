/** Arithmetic, moves and byte order (RFC 9669, sections 4.1 and 4.2). */
import { AsmError } from "../error.ts";
import type { Instruction } from "../instruction.ts";
import { makeInstruction } from "../make.ts";
import * as op from "../opcode.ts";
import type { Register, Register32 } from "../register.ts";
import { immediateField, sameWidth } from "./operand.ts";

/**
 * `dst = dst <operation> operand`. With `r` registers 64 bits wide, with `w`
 * registers 32 bits, the upper half of the destination becoming zero.
 * @throws {AsmError} where a number does not fit the immediate field.
 */
export interface ArithmeticBuilder {
  (dst: Register, operand: Register | number): Instruction;
  (dst: Register32, operand: Register32 | number): Instruction;
}

function arithmetic(name: string, operation: number, offset = 0): ArithmeticBuilder {
  return (dst: Register | Register32, operand: Register | Register32 | number): Instruction => {
    const opcode = operation | (dst.bits === 64 ? op.BPF_ALU64 : op.BPF_ALU);
    if (typeof operand === "number") {
      return makeInstruction(opcode, dst.number, 0, offset, immediateField(operand, dst.bits, name));
    }
    sameWidth(dst, operand, name);
    return makeInstruction(opcode | op.BPF_X, dst.number, operand.number, offset, 0);
  };
}

/** `dst = operand`. A number is sign-extended to 64 bits; `lddw` takes wider ones. */
export const mov = arithmetic("mov", op.BPF_MOV);
export const add = arithmetic("add", op.BPF_ADD);
export const sub = arithmetic("sub", op.BPF_SUB);
export const mul = arithmetic("mul", op.BPF_MUL);
/** Unsigned division; by zero it gives 0. */
export const div = arithmetic("div", op.BPF_DIV);
/** Unsigned remainder; by zero it gives the dividend. */
export const mod = arithmetic("mod", op.BPF_MOD);
/** Signed division, rounding towards zero; by zero it gives 0 (Linux 6.6). */
export const sdiv = arithmetic("sdiv", op.BPF_DIV, 1);
/** Signed remainder, with the dividend's sign; by zero it gives the dividend (Linux 6.6). */
export const smod = arithmetic("smod", op.BPF_MOD, 1);
export const and = arithmetic("and", op.BPF_AND);
export const or = arithmetic("or", op.BPF_OR);
export const xor = arithmetic("xor", op.BPF_XOR);
/** Left shift; the low 6 bits of the operand count, for `w` registers the low 5. */
export const lsh = arithmetic("lsh", op.BPF_LSH);
/** Right shift that fills with zeros. */
export const rsh = arithmetic("rsh", op.BPF_RSH);
/** Right shift that fills with the sign. */
export const arsh = arithmetic("arsh", op.BPF_ARSH);

/** `dst = -dst`. */
export function neg(dst: Register | Register32): Instruction {
  return makeInstruction(op.BPF_NEG | (dst.bits === 64 ? op.BPF_ALU64 : op.BPF_ALU), dst.number, 0, 0, 0);
}

/** `dst = ` the low bits of `src`, sign-extended to the register's width (Linux 6.6). */
export interface SignExtensionBuilder {
  (dst: Register, src: Register): Instruction;
  (dst: Register32, src: Register32): Instruction;
}

function signExtension(bits: 8 | 16): SignExtensionBuilder {
  return (dst: Register | Register32, src: Register | Register32): Instruction => {
    sameWidth(dst, src, `movsx${bits}`);
    return makeInstruction(
      op.BPF_MOV | op.BPF_X | (dst.bits === 64 ? op.BPF_ALU64 : op.BPF_ALU),
      dst.number,
      src.number,
      bits,
      0,
    );
  };
}

export const movsx8 = signExtension(8);
export const movsx16 = signExtension(16);
/** `dst = ` the low 32 bits of `src`, sign-extended (Linux 6.6). */
export function movsx32(dst: Register, src: Register): Instruction {
  return makeInstruction(op.BPF_MOV | op.BPF_X | op.BPF_ALU64, dst.number, src.number, 32, 0);
}

const byteSwap =
  (opcode: number, bits: 16 | 32 | 64) =>
  (dst: Register): Instruction =>
    makeInstruction(opcode, dst.number, 0, 0, bits);

const TO_BE = op.BPF_ALU | op.BPF_END | op.BPF_TO_BE;
const TO_LE = op.BPF_ALU | op.BPF_END | op.BPF_TO_LE;
const SWAP = op.BPF_ALU64 | op.BPF_END;

/** Converts the low 16 bits between host and network byte order; those above become zero. */
export const be16 = byteSwap(TO_BE, 16);
/** Converts the low 32 bits between host and network byte order; those above become zero. */
export const be32 = byteSwap(TO_BE, 32);
/** Converts between host and network byte order. */
export const be64 = byteSwap(TO_BE, 64);
/** Converts the low 16 bits between host and little-endian order: on most machines, keeps the low 16 bits. */
export const le16 = byteSwap(TO_LE, 16);
/** Converts the low 32 bits between host and little-endian order: on most machines, keeps the low 32 bits. */
export const le32 = byteSwap(TO_LE, 32);
/** Converts between host and little-endian order: on most machines, nothing. */
export const le64 = byteSwap(TO_LE, 64);
/** Reverses the low two bytes, whatever the machine; the bits above become zero (Linux 6.6). */
export const bswap16 = byteSwap(SWAP, 16);
/** Reverses the low four bytes, whatever the machine; the bits above become zero (Linux 6.6). */
export const bswap32 = byteSwap(SWAP, 32);
/** Reverses all eight bytes, whatever the machine (Linux 6.6). */
export const bswap64 = byteSwap(SWAP, 64);

/**
 * `dst = src`, a pointer of address space `from` turned into one of `to`: space
 * 1 is an arena, 0 the kernel's (Linux 6.9).
 */
export function addressSpaceCast(dst: Register, src: Register, to: number, from: number): Instruction {
  if ((to & 0xffff) !== to || (from & 0xffff) !== from) {
    throw new AsmError(`addressSpaceCast: an address space is a number from 0 to 65535, not ${to} or ${from}`);
  }
  return makeInstruction(op.BPF_MOV | op.BPF_X | op.BPF_ALU64, dst.number, src.number, 1, (to << 16) | from);
}
