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
 * (Linux 5.12), `src` receives the old value; that of `u32` is zero-extended.
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

export const atomicAdd = atomicArithmetic(op.BPF_ADD);
export const atomicAnd = atomicArithmetic(op.BPF_AND);
export const atomicOr = atomicArithmetic(op.BPF_OR);
export const atomicXor = atomicArithmetic(op.BPF_XOR);

/** Stores `src`, which receives the old value (Linux 5.12). */
export const exchange = (type: AtomicType, base: Register, offset: number, src: Register): Instruction =>
  atomic(type, base, offset, src, op.BPF_XCHG);

/** Stores `src` where the memory equals r0; r0 receives the old value either way (Linux 5.12). */
export const compareExchange = (type: AtomicType, base: Register, offset: number, src: Register): Instruction =>
  atomic(type, base, offset, src, op.BPF_CMPXCHG);

/** `dst = *(type *)(base + offset)`; what follows in the program is not seen to happen before it. */
export const loadAcquire = (type: StoreType, dst: Register, base: Register, offset: number): Instruction =>
  makeInstruction(
    op.BPF_STX | op.BPF_ATOMIC | sizeField[type],
    dst.number,
    base.number,
    offsetField(offset, "loadAcquire"),
    op.BPF_LOAD_ACQ,
  );

/** `*(type *)(base + offset) = src`; what stands before it in the program is not seen to happen after it. */
export const storeRelease = (type: StoreType, base: Register, offset: number, src: Register): Instruction =>
  atomic(type, base, offset, src, op.BPF_STORE_REL);
