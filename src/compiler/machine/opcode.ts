/** The opcodes that the compiler emits, by their names in the intermediate form. */
import { opcodes as bpf } from "../../asm/index.ts";
import type { AccessSize, BinaryOperator, Comparison } from "../ir/ir.ts";

export const InstructionClass = {
  LD: bpf.BPF_LD,
  LDX: bpf.BPF_LDX,
  ST: bpf.BPF_ST,
  STX: bpf.BPF_STX,
  ALU: bpf.BPF_ALU,
  JMP: bpf.BPF_JMP,
  JMP32: bpf.BPF_JMP32,
  ALU64: bpf.BPF_ALU64,
} as const;

/** The source bit: the second operand is a register. */
export const REGISTER_SOURCE = bpf.BPF_X;

const arithmetic: Record<BinaryOperator, number> = {
  add: bpf.BPF_ADD,
  sub: bpf.BPF_SUB,
  mul: bpf.BPF_MUL,
  div: bpf.BPF_DIV,
  sdiv: bpf.BPF_DIV,
  mod: bpf.BPF_MOD,
  smod: bpf.BPF_MOD,
  and: bpf.BPF_AND,
  or: bpf.BPF_OR,
  xor: bpf.BPF_XOR,
  lsh: bpf.BPF_LSH,
  rsh: bpf.BPF_RSH,
  arsh: bpf.BPF_ARSH,
};

/** The code of an arithmetic operation, to combine with its class. */
export const arithmeticCode = (operator: BinaryOperator): number => arithmetic[operator];

const jumps: Record<Comparison, number> = {
  eq: bpf.BPF_JEQ,
  ne: bpf.BPF_JNE,
  set: bpf.BPF_JSET,
  lt: bpf.BPF_JLT,
  le: bpf.BPF_JLE,
  gt: bpf.BPF_JGT,
  ge: bpf.BPF_JGE,
  slt: bpf.BPF_JSLT,
  sle: bpf.BPF_JSLE,
  sgt: bpf.BPF_JSGT,
  sge: bpf.BPF_JSGE,
};

/** The code of a conditional jump, to combine with its class. */
export const jumpCode = (comparison: Comparison): number => jumps[comparison];

const sizes: Record<AccessSize, number> = { 1: bpf.BPF_B, 2: bpf.BPF_H, 4: bpf.BPF_W, 8: bpf.BPF_DW };

export const Opcode = {
  LDDW: bpf.LDDW,
  NEGATE32: bpf.BPF_ALU | bpf.BPF_NEG,
  NEGATE64: bpf.BPF_ALU64 | bpf.BPF_NEG,
  MOVE32_IMMEDIATE: bpf.BPF_ALU | bpf.BPF_MOV | bpf.BPF_K,
  MOVE32: bpf.BPF_ALU | bpf.BPF_MOV | bpf.BPF_X,
  MOVE64_IMMEDIATE: bpf.BPF_ALU64 | bpf.BPF_MOV | bpf.BPF_K,
  MOVE64: bpf.BPF_ALU64 | bpf.BPF_MOV | bpf.BPF_X,
  /** On a little-endian machine, the byte swap that every kernel supports. */
  TO_BIG_ENDIAN: bpf.BPF_ALU | bpf.BPF_END | bpf.BPF_TO_BE,
  /** The unconditional swap, from instruction set 4 on. */
  BYTESWAP: bpf.BPF_ALU64 | bpf.BPF_END | bpf.BPF_TO_LE,
  JUMP: bpf.GOTO,
  CALL: bpf.CALL,
  EXIT: bpf.EXIT,
} as const;

export const loadOpcode = (size: AccessSize, signed = false): number =>
  (signed ? bpf.BPF_MEMSX : bpf.BPF_MEM) | sizes[size] | bpf.BPF_LDX;
export const storeOpcode = (size: AccessSize): number => bpf.BPF_MEM | sizes[size] | bpf.BPF_STX;
export const storeImmediateOpcode = (size: AccessSize): number => bpf.BPF_MEM | sizes[size] | bpf.BPF_ST;
export const atomicOpcode = (size: 4 | 8): number => bpf.BPF_ATOMIC | sizes[size] | bpf.BPF_STX;

/** Values of an atomic instruction's immediate. */
export const AtomicOperation = {
  add: bpf.BPF_ADD,
  or: bpf.BPF_OR,
  and: bpf.BPF_AND,
  xor: bpf.BPF_XOR,
  exchange: bpf.BPF_XCHG,
  compareExchange: bpf.BPF_CMPXCHG,
  FETCH: bpf.BPF_FETCH,
} as const;

/** Values of `src` in a call and in a 64-bit immediate load. */
export const Pseudo = {
  MAP: bpf.BPF_PSEUDO_MAP_FD,
  MAP_VALUE: bpf.BPF_PSEUDO_MAP_VALUE,
  FUNCTION: bpf.BPF_PSEUDO_FUNC,
  CALL_FUNCTION: bpf.BPF_PSEUDO_CALL,
  CALL_KERNEL: bpf.BPF_PSEUDO_KFUNC_CALL,
} as const;
