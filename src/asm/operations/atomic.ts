/** Atomic operations (RFC 9669, section 5.3) and the ordered loads and stores of Linux 6.15. */
import type { Instruction } from "../instruction.ts";
import { makeInstruction } from "../make.ts";
import * as op from "../opcode.ts";
import type { Register } from "../register.ts";
import { sizeField, type StoreType } from "./memory.ts";
import { offsetField } from "./operand.ts";

/** Atomic operations work on 4 or 8 bytes. */
export type AtomicType = "u32" | "u64";

/**
 * `*(type *)(base + offset) <operation>= src`, offset in bytes. With `fetch`
 * (Linux 5.12), `src` receives the old value, zero-extended for `u32`.
 */
export type AtomicBuilder = (
  type: AtomicType,
  base: Register,
  offset: number,
  src: Register,
  options?: { readonly fetch?: boolean },
) => Instruction;

const atomic = (type: StoreType, base: Register, offset: number, src: Register, operation: number): Instruction =>
  makeInstruction(
    op.BPF_STX | op.BPF_ATOMIC | sizeField[type],
    base.number,
    src.number,
    offsetField(offset, "atomic operation"),
    operation,
  );

const atomicArithmetic =
  (operation: number): AtomicBuilder =>
  (type, base, offset, src, options) =>
    atomic(type, base, offset, src, options?.fetch === true ? operation | op.BPF_FETCH : operation);

/**
 * `*(type *)(base + offset) += src` in one step.
 *
 * @example
 * ```ts
 * import { atomicAdd, r1, r2 } from "tsbpf/asm";
 *
 * atomicAdd("u64", r1, 0, r2); // lock *(u64 *)(r1 + 0) += r2
 * ```
 */
export const atomicAdd = atomicArithmetic(op.BPF_ADD);
/**
 * `*(type *)(base + offset) &= src` in one step (Linux 5.12).
 *
 * @example
 * ```ts
 * import { atomicAnd, r1, r2 } from "tsbpf/asm";
 *
 * atomicAnd("u64", r1, 0, r2); // lock *(u64 *)(r1 + 0) &= r2
 * ```
 */
export const atomicAnd = atomicArithmetic(op.BPF_AND);
/**
 * `*(type *)(base + offset) |= src` in one step (Linux 5.12).
 *
 * @example
 * ```ts
 * import { atomicOr, r1, r2 } from "tsbpf/asm";
 *
 * atomicOr("u64", r1, 0, r2); // lock *(u64 *)(r1 + 0) |= r2
 * ```
 */
export const atomicOr = atomicArithmetic(op.BPF_OR);
/**
 * `*(type *)(base + offset) ^= src` in one step (Linux 5.12).
 *
 * @example
 * ```ts
 * import { atomicXor, r1, r2 } from "tsbpf/asm";
 *
 * atomicXor("u64", r1, 0, r2); // lock *(u64 *)(r1 + 0) ^= r2
 * ```
 */
export const atomicXor = atomicArithmetic(op.BPF_XOR);

/**
 * Stores `src` and puts the old value into it (Linux 5.12).
 *
 * @example
 * ```ts
 * import { exchange, r1, r2 } from "tsbpf/asm";
 *
 * exchange("u64", r1, 0, r2); // r2 = xchg_64(r1 + 0, r2)
 * ```
 */
export const exchange = (type: AtomicType, base: Register, offset: number, src: Register): Instruction =>
  atomic(type, base, offset, src, op.BPF_XCHG);

/**
 * Stores `src` if the memory equals r0. In both cases r0 receives the old value (Linux 5.12).
 *
 * @example
 * ```ts
 * import { compareExchange, r1, r2 } from "tsbpf/asm";
 *
 * compareExchange("u64", r1, 0, r2); // r0 = cmpxchg_64(r1 + 0, r0, r2)
 * ```
 */
export const compareExchange = (type: AtomicType, base: Register, offset: number, src: Register): Instruction =>
  atomic(type, base, offset, src, op.BPF_CMPXCHG);

/**
 * `dst = *(type *)(base + offset)`, before everything that follows in the program (Linux 6.15).
 *
 * @example
 * ```ts
 * import { loadAcquire, r0, r1 } from "tsbpf/asm";
 *
 * loadAcquire("u64", r0, r1, 0); // r0 = load_acquire((u64 *)(r1 + 0))
 * ```
 */
export const loadAcquire = (type: StoreType, dst: Register, base: Register, offset: number): Instruction =>
  makeInstruction(
    op.BPF_STX | op.BPF_ATOMIC | sizeField[type],
    dst.number,
    base.number,
    offsetField(offset, "loadAcquire"),
    op.BPF_LOAD_ACQ,
  );

/**
 * `*(type *)(base + offset) = src`, after everything that precedes it in the program (Linux 6.15).
 *
 * @example
 * ```ts
 * import { r1, r2, storeRelease } from "tsbpf/asm";
 *
 * storeRelease("u64", r1, 0, r2); // store_release((u64 *)(r1 + 0), r2)
 * ```
 */
export const storeRelease = (type: StoreType, base: Register, offset: number, src: Register): Instruction =>
  atomic(type, base, offset, src, op.BPF_STORE_REL);
