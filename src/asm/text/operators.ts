/** The signs of operations, for printer and parser. */
import * as op from "../opcode.ts";

/** By operation: the sign of `dst <sign> operand`. */
export const arithmeticSigns: ReadonlyMap<number, string> = new Map([
  [op.BPF_ADD, "+="],
  [op.BPF_SUB, "-="],
  [op.BPF_MUL, "*="],
  [op.BPF_DIV, "/="],
  [op.BPF_OR, "|="],
  [op.BPF_AND, "&="],
  [op.BPF_LSH, "<<="],
  [op.BPF_RSH, ">>="],
  [op.BPF_MOD, "%="],
  [op.BPF_XOR, "^="],
  [op.BPF_MOV, "="],
  [op.BPF_ARSH, "s>>="],
]);

/** By operation: the sign of a conditional jump's comparison. */
export const comparisonSigns: ReadonlyMap<number, string> = new Map([
  [op.BPF_JEQ, "=="],
  [op.BPF_JGT, ">"],
  [op.BPF_JGE, ">="],
  [op.BPF_JSET, "&"],
  [op.BPF_JNE, "!="],
  [op.BPF_JSGT, "s>"],
  [op.BPF_JSGE, "s>="],
  [op.BPF_JLT, "<"],
  [op.BPF_JLE, "<="],
  [op.BPF_JSLT, "s<"],
  [op.BPF_JSLE, "s<="],
]);

/** By atomic operation: its name in `atomic_fetch_…`. */
export const atomicNames: ReadonlyMap<number, string> = new Map([
  [op.BPF_ADD, "add"],
  [op.BPF_OR, "or"],
  [op.BPF_AND, "and"],
  [op.BPF_XOR, "xor"],
]);
