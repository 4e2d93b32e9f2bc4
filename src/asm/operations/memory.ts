/** Loads and stores (RFC 9669, sections 5.1, 5.2 and 5.4). */
import { AsmError } from "../error.ts";
import type { Instruction } from "../instruction.ts";
import { makeInstruction } from "../make.ts";
import * as op from "../opcode.ts";
import type { Register } from "../register.ts";
import { immediateField, offsetField } from "./operand.ts";

/** The width of a store. */
export type StoreType = "u8" | "u16" | "u32" | "u64";
/** The width of a load, zero-extended (`u`) or sign-extended (`i`, Linux 6.6) to 64 bits. */
export type LoadType = StoreType | "i8" | "i16" | "i32";
/** The width of a classic packet load. */
export type PacketType = "u8" | "u16" | "u32";

/** The size field of each type. */
export const sizeField: Readonly<Record<StoreType, number>> = {
  u8: op.BPF_B,
  u16: op.BPF_H,
  u32: op.BPF_W,
  u64: op.BPF_DW,
};

const loadOpcode: Readonly<Record<LoadType, number>> = {
  u8: op.BPF_LDX | op.BPF_MEM | op.BPF_B,
  u16: op.BPF_LDX | op.BPF_MEM | op.BPF_H,
  u32: op.BPF_LDX | op.BPF_MEM | op.BPF_W,
  u64: op.BPF_LDX | op.BPF_MEM | op.BPF_DW,
  i8: op.BPF_LDX | op.BPF_MEMSX | op.BPF_B,
  i16: op.BPF_LDX | op.BPF_MEMSX | op.BPF_H,
  i32: op.BPF_LDX | op.BPF_MEMSX | op.BPF_W,
};

/**
 * `dst = *(type *)(base + offset)`, offset in bytes.
 * @throws {AsmError} for an offset beyond 16 bits.
 *
 * @example
 * ```ts
 * import { load, r0, r1 } from "tsbpf/asm";
 *
 * load("u32", r0, r1, 4); // r0 = *(u32 *)(r1 + 4)
 * ```
 */
export function load(type: LoadType, dst: Register, base: Register, offset: number): Instruction {
  return makeInstruction(loadOpcode[type], dst.number, base.number, offsetField(offset, "load"), 0);
}

/**
 * `*(type *)(base + offset) = value`, offset in bytes. The value is a register's low
 * bits, or a number; for `u64` the number has 32 bits and is sign-extended.
 * @throws {AsmError} for an offset beyond 16 bits, or a number beyond the type.
 *
 * @example
 * ```ts
 * import { r10, store } from "tsbpf/asm";
 *
 * store("u32", r10, -4, 0); // *(u32 *)(r10 - 4) = 0
 * ```
 */
export function store(type: StoreType, base: Register, offset: number, value: Register | number): Instruction {
  if (typeof value !== "number") {
    return makeInstruction(
      op.BPF_STX | op.BPF_MEM | sizeField[type],
      base.number,
      value.number,
      offsetField(offset, "store"),
      0,
    );
  }
  if ((type === "u8" && (value < -0x80 || value > 0xff)) || (type === "u16" && (value < -0x8000 || value > 0xffff))) {
    throw new AsmError(`store: ${value} does not fit ${type}`);
  }
  const field = immediateField(value, type === "u64" ? 64 : 32, "store");
  return makeInstruction(op.BPF_ST | op.BPF_MEM | sizeField[type], base.number, 0, offsetField(offset, "store"), field);
}

/**
 * `r0 = *(type *)skb[offset]` in host byte order: classic BPF's packet load. It takes the context in r6, destroys r1
 * to r5, and ends the program if the offset lies beyond the packet.
 *
 * @example
 * ```ts
 * import { loadAbsolute } from "tsbpf/asm";
 *
 * loadAbsolute("u16", 12); // r0 = *(u16 *)skb[12]
 * ```
 */
export function loadAbsolute(type: PacketType, offset: number): Instruction {
  return makeInstruction(op.BPF_LD | op.BPF_ABS | sizeField[type], 0, 0, 0, immediateField(offset, 32, "loadAbsolute"));
}

/**
 * `loadAbsolute` at the offset `index + offset`.
 *
 * @example
 * ```ts
 * import { loadIndirect, r7 } from "tsbpf/asm";
 *
 * loadIndirect("u8", r7, 14); // r0 = *(u8 *)skb[r7 + 14]
 * ```
 */
export function loadIndirect(type: PacketType, index: Register, offset = 0): Instruction {
  return makeInstruction(
    op.BPF_LD | op.BPF_IND | sizeField[type],
    0,
    index.number,
    0,
    immediateField(offset, 32, "loadIndirect"),
  );
}
