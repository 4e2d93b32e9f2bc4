/** The opcodes that the compiler emits, put together as in RFC 9669, sections 3 to 5. */
import type { AccessSize, BinaryOperator, Comparison } from "../ir/ir.ts";

export const InstructionClass = { LD: 0, LDX: 1, ST: 2, STX: 3, ALU: 4, JMP: 5, JMP32: 6, ALU64: 7 } as const;

/** The bit that says that the second operand is a register. */
export const REGISTER_SOURCE = 0x08;

const arithmetic: Record<BinaryOperator, number> = {
  add: 0x00, sub: 0x10, mul: 0x20, div: 0x30, sdiv: 0x30, or: 0x40, and: 0x50,
  lsh: 0x60, rsh: 0x70, mod: 0x90, smod: 0x90, xor: 0xa0, arsh: 0xc0,
};

/** The code of an arithmetic operation, to be joined with its class. */
export const arithmeticCode = (operator: BinaryOperator): number => arithmetic[operator];

const jumps: Record<Comparison, number> = {
  eq: 0x10, gt: 0x20, ge: 0x30, set: 0x40, ne: 0x50, sgt: 0x60, sge: 0x70, lt: 0xa0, le: 0xb0, slt: 0xc0, sle: 0xd0,
};

/** The code of a conditional jump, to be joined with its class. */
export const jumpCode = (comparison: Comparison): number => jumps[comparison];

const sizes: Record<AccessSize, number> = { 1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18 };

const MEM = 0x60;
const MEMSX = 0x80;
const ATOMIC = 0xc0;

export const Opcode = {
  LDDW: 0x18,
  NEGATE32: 0x84,
  NEGATE64: 0x87,
  MOVE32_IMMEDIATE: 0xb4,
  MOVE32: 0xbc,
  MOVE64_IMMEDIATE: 0xb7,
  MOVE64: 0xbf,
  /** To big endian: on a little-endian machine the swap that every kernel knows. */
  TO_BIG_ENDIAN: 0xdc,
  /** The unconditional swap, from instruction set 4 on. */
  BYTESWAP: 0xd7,
  JUMP: 0x05,
  CALL: 0x85,
  EXIT: 0x95,
} as const;

export const loadOpcode = (size: AccessSize, signed = false): number =>
  (signed ? MEMSX : MEM) | sizes[size] | InstructionClass.LDX;
export const storeOpcode = (size: AccessSize): number => MEM | sizes[size] | InstructionClass.STX;
export const storeImmediateOpcode = (size: AccessSize): number => MEM | sizes[size] | InstructionClass.ST;
export const atomicOpcode = (size: 4 | 8): number => ATOMIC | sizes[size] | InstructionClass.STX;

/** What the immediate of an atomic instruction says. */
export const AtomicOperation = { add: 0x00, or: 0x40, and: 0x50, xor: 0xa0, exchange: 0xe1, compareExchange: 0xf1, FETCH: 0x01 } as const;

/** The kinds of `src` in a call and in a 64-bit immediate load. */
export const Pseudo = { MAP: 1, MAP_VALUE: 2, FUNCTION: 4, CALL_FUNCTION: 1, CALL_KERNEL: 2 } as const;
