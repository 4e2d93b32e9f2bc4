import type { RegisterNumber } from "./instruction.ts";

/**
 * A whole 64-bit register: `r0` to `r10` (RFC 9669, section 2).
 *
 * @example
 * ```ts
 * import { mov, r0, type Register } from "tsbpf/asm";
 *
 * const clear = (register: Register) => mov(register, 0);
 * clear(r0); // r0 = 0
 * ```
 */
export interface Register {
  readonly bits: 64;
  readonly number: RegisterNumber;
}

/**
 * The low half of a register, `w0` to `w10`: operations on it zero the upper half.
 *
 * @example
 * ```ts
 * import { add, w1 } from "tsbpf/asm";
 *
 * add(w1, 1); // w1 += 1
 * ```
 */
export interface Register32 {
  readonly bits: 32;
  readonly number: RegisterNumber;
}

const register = (number: RegisterNumber): Register => Object.freeze({ bits: 64, number });
const register32 = (number: RegisterNumber): Register32 => Object.freeze({ bits: 32, number });

/** The result of calls, and of the program. */
export const r0 = register(0);
/** At the start, the context. The first argument of calls, which destroy it. */
export const r1 = register(1);
/** The second argument of calls, which destroy it. */
export const r2 = register(2);
/** The third argument of calls, which destroy it. */
export const r3 = register(3);
/** The fourth argument of calls, which destroy it. */
export const r4 = register(4);
/** The fifth argument of calls, which destroy it. */
export const r5 = register(5);
/** Kept across calls. */
export const r6 = register(6);
/** Kept across calls. */
export const r7 = register(7);
/** Kept across calls. */
export const r8 = register(8);
/** Kept across calls. */
export const r9 = register(9);
/** The frame pointer, read-only: the 512 bytes of stack are below it. */
export const r10 = register(10);

/** The low half of r0. */
export const w0 = register32(0);
/** The low half of r1. */
export const w1 = register32(1);
/** The low half of r2. */
export const w2 = register32(2);
/** The low half of r3. */
export const w3 = register32(3);
/** The low half of r4. */
export const w4 = register32(4);
/** The low half of r5. */
export const w5 = register32(5);
/** The low half of r6. */
export const w6 = register32(6);
/** The low half of r7. */
export const w7 = register32(7);
/** The low half of r8. */
export const w8 = register32(8);
/** The low half of r9. */
export const w9 = register32(9);
/** The low half of r10. */
export const w10 = register32(10);

/**
 * r0 to r10 by number, for generated code.
 *
 * @example
 * ```ts
 * import { mov, registers } from "tsbpf/asm";
 *
 * registers.slice(6, 10).map((register) => mov(register, 0)); // r6 = 0 to r9 = 0
 * ```
 */
export const registers: readonly Register[] = Object.freeze([r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10]);
/**
 * w0 to w10 by number, for generated code.
 *
 * @example
 * ```ts
 * import { mov, registers32 } from "tsbpf/asm";
 *
 * mov(registers32[1]!, 0); // w1 = 0
 * ```
 */
export const registers32: readonly Register32[] = Object.freeze([w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10]);
