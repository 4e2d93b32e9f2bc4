/** Arithmetic, moves and byte order (RFC 9669, sections 4.1 and 4.2). */
import { AsmError } from "../error.ts";
import type { Instruction } from "../instruction.ts";
import { makeInstruction } from "../make.ts";
import * as op from "../opcode.ts";
import type { Register, Register32 } from "../register.ts";
import { immediateField, sameWidth } from "./operand.ts";

/**
 * `dst = dst <operation> operand`, on 64 bits with `r` registers. With `w` registers
 * the operation is on 32 bits and zeroes the upper half of the destination.
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

/**
 * `dst = operand`. A number is sign-extended to 64 bits; `lddw` loads wider ones.
 *
 * @example
 * ```ts
 * import { mov, r0 } from "tsbpf/asm";
 *
 * mov(r0, 1); // r0 = 1
 * ```
 */
export const mov = arithmetic("mov", op.BPF_MOV);
/**
 * `dst += operand`.
 *
 * @example
 * ```ts
 * import { add, r1, r2 } from "tsbpf/asm";
 *
 * add(r1, r2); // r1 += r2
 * ```
 */
export const add = arithmetic("add", op.BPF_ADD);
/**
 * `dst -= operand`.
 *
 * @example
 * ```ts
 * import { r1, sub } from "tsbpf/asm";
 *
 * sub(r1, 8); // r1 -= 8
 * ```
 */
export const sub = arithmetic("sub", op.BPF_SUB);
/**
 * `dst *= operand`.
 *
 * @example
 * ```ts
 * import { mul, w1 } from "tsbpf/asm";
 *
 * mul(w1, 3); // w1 *= 3
 * ```
 */
export const mul = arithmetic("mul", op.BPF_MUL);
/**
 * Unsigned division. Division by zero gives 0.
 *
 * @example
 * ```ts
 * import { div, r1 } from "tsbpf/asm";
 *
 * div(r1, 10); // r1 /= 10
 * ```
 */
export const div = arithmetic("div", op.BPF_DIV);
/**
 * Unsigned remainder. The remainder by zero is the dividend.
 *
 * @example
 * ```ts
 * import { mod, r1 } from "tsbpf/asm";
 *
 * mod(r1, 10); // r1 %= 10
 * ```
 */
export const mod = arithmetic("mod", op.BPF_MOD);
/**
 * Signed division, rounded towards zero. Division by zero gives 0 (Linux 6.6).
 *
 * @example
 * ```ts
 * import { r1, sdiv } from "tsbpf/asm";
 *
 * sdiv(r1, -2); // r1 s/= -2
 * ```
 */
export const sdiv = arithmetic("sdiv", op.BPF_DIV, 1);
/**
 * Signed remainder, with the dividend's sign. The remainder by zero is the dividend (Linux 6.6).
 *
 * @example
 * ```ts
 * import { r1, smod } from "tsbpf/asm";
 *
 * smod(r1, 3); // r1 s%= 3
 * ```
 */
export const smod = arithmetic("smod", op.BPF_MOD, 1);
/**
 * `dst &= operand`.
 *
 * @example
 * ```ts
 * import { and, r1 } from "tsbpf/asm";
 *
 * and(r1, 0xff); // r1 &= 255
 * ```
 */
export const and = arithmetic("and", op.BPF_AND);
/**
 * `dst |= operand`.
 *
 * @example
 * ```ts
 * import { or, r1, r2 } from "tsbpf/asm";
 *
 * or(r1, r2); // r1 |= r2
 * ```
 */
export const or = arithmetic("or", op.BPF_OR);
/**
 * `dst ^= operand`.
 *
 * @example
 * ```ts
 * import { r1, xor } from "tsbpf/asm";
 *
 * xor(r1, r1); // r1 ^= r1
 * ```
 */
export const xor = arithmetic("xor", op.BPF_XOR);
/**
 * Left shift by the low 6 bits of the operand, for `w` registers the low 5.
 *
 * @example
 * ```ts
 * import { lsh, r1 } from "tsbpf/asm";
 *
 * lsh(r1, 32); // r1 <<= 32
 * ```
 */
export const lsh = arithmetic("lsh", op.BPF_LSH);
/**
 * Right shift that fills with zeros.
 *
 * @example
 * ```ts
 * import { r1, rsh } from "tsbpf/asm";
 *
 * rsh(r1, 32); // r1 >>= 32
 * ```
 */
export const rsh = arithmetic("rsh", op.BPF_RSH);
/**
 * Right shift that fills with the sign.
 *
 * @example
 * ```ts
 * import { arsh, r1 } from "tsbpf/asm";
 *
 * arsh(r1, 63); // r1 s>>= 63
 * ```
 */
export const arsh = arithmetic("arsh", op.BPF_ARSH);

/**
 * `dst = -dst`.
 *
 * @example
 * ```ts
 * import { neg, r0 } from "tsbpf/asm";
 *
 * neg(r0); // r0 = -r0
 * ```
 */
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

/**
 * `dst = src`, its low 8 bits sign-extended (Linux 6.6).
 *
 * @example
 * ```ts
 * import { movsx8, r1, r2 } from "tsbpf/asm";
 *
 * movsx8(r1, r2); // r1 = (s8)r2
 * ```
 */
export const movsx8 = signExtension(8);
/**
 * `dst = src`, its low 16 bits sign-extended (Linux 6.6).
 *
 * @example
 * ```ts
 * import { movsx16, r1, r2 } from "tsbpf/asm";
 *
 * movsx16(r1, r2); // r1 = (s16)r2
 * ```
 */
export const movsx16 = signExtension(16);
/**
 * `dst = src`, its low 32 bits sign-extended (Linux 6.6).
 *
 * @example
 * ```ts
 * import { movsx32, r1, r2 } from "tsbpf/asm";
 *
 * movsx32(r1, r2); // r1 = (s32)r2
 * ```
 */
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

/**
 * Converts the low 16 bits between host and network byte order; the bits above become zero.
 *
 * @example
 * ```ts
 * import { be16, r1 } from "tsbpf/asm";
 *
 * be16(r1); // r1 = be16 r1
 * ```
 */
export const be16 = byteSwap(TO_BE, 16);
/**
 * Converts the low 32 bits between host and network byte order; the bits above become zero.
 *
 * @example
 * ```ts
 * import { be32, r1 } from "tsbpf/asm";
 *
 * be32(r1); // r1 = be32 r1
 * ```
 */
export const be32 = byteSwap(TO_BE, 32);
/**
 * Converts 64 bits between host and network byte order.
 *
 * @example
 * ```ts
 * import { be64, r1 } from "tsbpf/asm";
 *
 * be64(r1); // r1 = be64 r1
 * ```
 */
export const be64 = byteSwap(TO_BE, 64);
/**
 * Converts the low 16 bits between host and little-endian order: a little-endian machine keeps them. The bits above
 * become zero.
 *
 * @example
 * ```ts
 * import { le16, r1 } from "tsbpf/asm";
 *
 * le16(r1); // r1 = le16 r1
 * ```
 */
export const le16 = byteSwap(TO_LE, 16);
/**
 * Converts the low 32 bits between host and little-endian order: a little-endian machine keeps them. The bits above
 * become zero.
 *
 * @example
 * ```ts
 * import { le32, r1 } from "tsbpf/asm";
 *
 * le32(r1); // r1 = le32 r1
 * ```
 */
export const le32 = byteSwap(TO_LE, 32);
/**
 * Converts 64 bits between host and little-endian order: a little-endian machine keeps them.
 *
 * @example
 * ```ts
 * import { le64, r1 } from "tsbpf/asm";
 *
 * le64(r1); // r1 = le64 r1
 * ```
 */
export const le64 = byteSwap(TO_LE, 64);
/**
 * Reverses the low two bytes on every machine; the bits above become zero (Linux 6.6).
 *
 * @example
 * ```ts
 * import { bswap16, r1 } from "tsbpf/asm";
 *
 * bswap16(r1); // r1 = bswap16 r1
 * ```
 */
export const bswap16 = byteSwap(SWAP, 16);
/**
 * Reverses the low four bytes on every machine; the bits above become zero (Linux 6.6).
 *
 * @example
 * ```ts
 * import { bswap32, r1 } from "tsbpf/asm";
 *
 * bswap32(r1); // r1 = bswap32 r1
 * ```
 */
export const bswap32 = byteSwap(SWAP, 32);
/**
 * Reverses all eight bytes on every machine (Linux 6.6).
 *
 * @example
 * ```ts
 * import { bswap64, r1 } from "tsbpf/asm";
 *
 * bswap64(r1); // r1 = bswap64 r1
 * ```
 */
export const bswap64 = byteSwap(SWAP, 64);

/**
 * `dst = src`, cast from address space `from` to `to`: 0 is the kernel's space, 1 an arena's (Linux 6.9).
 *
 * @example
 * ```ts
 * import { addressSpaceCast, r1, r2 } from "tsbpf/asm";
 *
 * addressSpaceCast(r1, r2, 0, 1); // r1 = addr_space_cast(r2, 0, 1)
 * ```
 */
export function addressSpaceCast(dst: Register, src: Register, to: number, from: number): Instruction {
  if ((to & 0xffff) !== to || (from & 0xffff) !== from) {
    throw new AsmError(`addressSpaceCast: address spaces are numbers from 0 to 65535, not ${to} and ${from}`);
  }
  return makeInstruction(op.BPF_MOV | op.BPF_X | op.BPF_ALU64, dst.number, src.number, 1, (to << 16) | from);
}
