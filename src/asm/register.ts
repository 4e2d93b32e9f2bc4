import type { RegisterNumber } from "./instruction.ts";

/** A whole 64-bit register: `r0` to `r10`. */
export interface Register {
  readonly bits: 64;
  readonly number: RegisterNumber;
}

/** The low half of a register, `w0` to `w10`: operations on it leave the upper half zero. */
export interface Register32 {
  readonly bits: 32;
  readonly number: RegisterNumber;
}

const register = (number: RegisterNumber): Register => Object.freeze({ bits: 64, number });
const register32 = (number: RegisterNumber): Register32 => Object.freeze({ bits: 32, number });

/** Result of calls and of the program. */
export const r0 = register(0);
/** First argument; at the start, the context. r1 to r5 do not survive a call. */
export const r1 = register(1);
/** Argument 2 of a call, which does not keep it. */
export const r2 = register(2);
/** Argument 3 of a call, which does not keep it. */
export const r3 = register(3);
/** Argument 4 of a call, which does not keep it. */
export const r4 = register(4);
/** Argument 5 of a call, which does not keep it. */
export const r5 = register(5);
/** r6 to r9 survive calls. */
export const r6 = register(6);
/** Calls keep it. */
export const r7 = register(7);
/** Calls keep it. */
export const r8 = register(8);
/** Calls keep it. */
export const r9 = register(9);
/** The frame pointer, read only: the 512 bytes of stack lie below it. */
export const r10 = register(10);

/** The low 32 bits of r0. */
export const w0 = register32(0);
/** The low 32 bits of r1. */
export const w1 = register32(1);
/** The low 32 bits of r2. */
export const w2 = register32(2);
/** The low 32 bits of r3. */
export const w3 = register32(3);
/** The low 32 bits of r4. */
export const w4 = register32(4);
/** The low 32 bits of r5. */
export const w5 = register32(5);
/** The low 32 bits of r6. */
export const w6 = register32(6);
/** The low 32 bits of r7. */
export const w7 = register32(7);
/** The low 32 bits of r8. */
export const w8 = register32(8);
/** The low 32 bits of r9. */
export const w9 = register32(9);
/** The low 32 bits of r10. */
export const w10 = register32(10);

/** r0 to r10 by number, for generated code. */
export const registers: readonly Register[] = Object.freeze([r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10]);
/** w0 to w10 by number, for generated code. */
export const registers32: readonly Register32[] = Object.freeze([w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10]);
