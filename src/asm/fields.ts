/**
 * The valid fields of each opcode, in one table for encoding and decoding
 * (RFC 9669, sections 4 and 5, and the checks of encodings in the kernel's
 * verifier).
 */
import * as op from "./opcode.ts";

const KNOWN = 1;
const DST = 2;
const SRC = 4;
const OFFSET = 8;
const IMMEDIATE = 16;
/** The valid values depend on another field; see `explain`. */
const DEPENDS = 32;

/** By opcode, the fields it uses; 0 for an unknown opcode. */
const rules = new Uint8Array(256);

const SIZES = [op.BPF_B, op.BPF_H, op.BPF_W, op.BPF_DW];

for (const cls of [op.BPF_ALU, op.BPF_ALU64]) {
  for (let operation = op.BPF_ADD; operation <= op.BPF_ARSH; operation += 0x10) {
    if (operation === op.BPF_NEG) continue;
    const depends = operation === op.BPF_DIV || operation === op.BPF_MOD;
    rules[cls | operation | op.BPF_K] = KNOWN | DST | IMMEDIATE | (depends ? OFFSET | DEPENDS : 0);
    rules[cls | operation | op.BPF_X] = KNOWN | DST | SRC | (depends ? OFFSET | DEPENDS : 0);
  }
  rules[cls | op.BPF_MOV | op.BPF_X] = KNOWN | DST | SRC | OFFSET | IMMEDIATE | DEPENDS;
  rules[cls | op.BPF_NEG | op.BPF_K] = KNOWN | DST;
  rules[cls | op.BPF_END | op.BPF_K] = KNOWN | DST | IMMEDIATE | DEPENDS;
}
rules[op.BPF_ALU | op.BPF_END | op.BPF_X] = KNOWN | DST | IMMEDIATE | DEPENDS;

for (const cls of [op.BPF_JMP, op.BPF_JMP32]) {
  for (let operation = op.BPF_JEQ; operation <= op.BPF_JSLE; operation += 0x10) {
    if (operation === op.BPF_CALL || operation === op.BPF_EXIT) continue;
    rules[cls | operation | op.BPF_K] = KNOWN | DST | OFFSET | IMMEDIATE;
    rules[cls | operation | op.BPF_X] = KNOWN | DST | SRC | OFFSET;
  }
}
rules[op.GOTO] = KNOWN | OFFSET;
rules[op.GOTOL] = KNOWN | IMMEDIATE;
rules[op.GOTOX] = KNOWN | DST;
rules[op.MAY_GOTO] = KNOWN | OFFSET | SRC | DEPENDS;
rules[op.CALL] = KNOWN | SRC | OFFSET | IMMEDIATE | DEPENDS;
rules[op.CALLX] = KNOWN | DST;
rules[op.EXIT] = KNOWN;

rules[op.LDDW] = KNOWN | DST | SRC | IMMEDIATE | DEPENDS;
for (const size of SIZES) {
  rules[op.BPF_LDX | op.BPF_MEM | size] = KNOWN | DST | SRC | OFFSET;
  rules[op.BPF_ST | op.BPF_MEM | size] = KNOWN | DST | OFFSET | IMMEDIATE;
  rules[op.BPF_STX | op.BPF_MEM | size] = KNOWN | DST | SRC | OFFSET;
  rules[op.BPF_STX | op.BPF_ATOMIC | size] = KNOWN | DST | SRC | OFFSET | IMMEDIATE | DEPENDS;
  if (size === op.BPF_DW) continue;
  rules[op.BPF_LDX | op.BPF_MEMSX | size] = KNOWN | DST | SRC | OFFSET;
  rules[op.BPF_LD | op.BPF_ABS | size] = KNOWN | IMMEDIATE;
  rules[op.BPF_LD | op.BPF_IND | size] = KNOWN | SRC | IMMEDIATE;
}

/** Every known opcode, in ascending order. */
export const opcodes: readonly number[] = [...rules.keys()].filter((opcode) => rules[opcode] !== 0);

/**
 * Why these fields are invalid, or undefined if they are valid. Fields are integers
 * of their width; `immediateHigh` is the immediate of `lddw`'s second slot, 0 for all
 * others.
 */
export function fieldFault(
  opcode: number,
  dst: number,
  src: number,
  offset: number,
  immediate: number,
  immediateHigh: number,
): string | undefined {
  const rule = rules[opcode]!;
  if (
    rule !== 0 &&
    (rule & DEPENDS) === 0 &&
    dst <= 10 &&
    src <= 10 &&
    (dst === 0 || (rule & DST) !== 0) &&
    (src === 0 || (rule & SRC) !== 0) &&
    (offset === 0 || (rule & OFFSET) !== 0) &&
    (immediate === 0 || (rule & IMMEDIATE) !== 0)
  )
    return undefined;
  return explain(rule, opcode, dst, src, offset, immediate, immediateHigh);
}

function explain(
  rule: number,
  opcode: number,
  dst: number,
  src: number,
  offset: number,
  immediate: number,
  immediateHigh: number,
): string | undefined {
  if (rule === 0) return `no instruction has opcode ${hex(opcode)}`;
  if (dst > 10) return `there is no destination register ${dst}: registers are r0 to r10`;
  if (src > 10) return `there is no source register ${src}: registers are r0 to r10`;
  if (dst !== 0 && (rule & DST) === 0) return reserved("destination register", opcode, dst);
  if (src !== 0 && (rule & SRC) === 0) return reserved("source register", opcode, src);
  if (offset !== 0 && (rule & OFFSET) === 0) return reserved("offset", opcode, offset);
  if (immediate !== 0 && (rule & IMMEDIATE) === 0) return reserved("immediate", opcode, immediate);
  switch (op.classOf(opcode)) {
    case op.BPF_ALU:
    case op.BPF_ALU64:
      return explainArithmetic(opcode, offset, immediate);
    case op.BPF_JMP:
      return opcode === op.CALL
        ? explainCall(src, offset)
        : src === op.BPF_MAY_GOTO
          ? undefined
          : `the source field of a conditional jump without operands (opcode ${hex(opcode)}) is 0, for may_goto, ` +
            `not ${src}`;
    case op.BPF_STX:
      return explainAtomic(opcode, immediate);
    default:
      return explainWide(src, immediateHigh);
  }
}

function explainArithmetic(opcode: number, offset: number, immediate: number): string | undefined {
  const wide = op.classOf(opcode) === op.BPF_ALU64;
  switch (op.operationOf(opcode)) {
    case op.BPF_DIV:
    case op.BPF_MOD:
      if (offset === 0 || offset === 1) return undefined;
      return `the offset of a division or modulo (opcode ${hex(opcode)}) is 0, or 1 for the signed one, not ${offset}`;
    case op.BPF_MOV:
      if (offset === 1 && wide) return undefined;
      if (immediate !== 0) return reserved("immediate", opcode, immediate);
      if (offset === 0 || offset === 8 || offset === 16 || (offset === 32 && wide)) return undefined;
      return (
        `the offset of a ${wide ? 64 : 32}-bit move (opcode ${hex(opcode)}) is 0, or ` +
        (wide ? "8, 16 or 32 to extend the sign, or 1 to cast between address spaces" : "8 or 16 to extend the sign") +
        `, not ${offset}`
      );
    default:
      if (immediate === 16 || immediate === 32 || immediate === 64) return undefined;
      return `a byte swap (opcode ${hex(opcode)}) takes 16, 32 or 64 bits, not ${immediate}`;
  }
}

function explainCall(src: number, offset: number): string | undefined {
  if (src > op.BPF_PSEUDO_KFUNC_CALL) {
    return `the source field of a call is 0 for a helper, 1 for a subprogram or 2 for a kernel function, not ${src}`;
  }
  if (offset !== 0 && src !== op.BPF_PSEUDO_KFUNC_CALL) return reserved("offset", op.CALL, offset);
  return undefined;
}

function explainAtomic(opcode: number, immediate: number): string | undefined {
  const size = op.sizeOf(opcode);
  switch (immediate) {
    case op.BPF_LOAD_ACQ:
    case op.BPF_STORE_REL:
      return undefined;
    case op.BPF_ADD:
    case op.BPF_OR:
    case op.BPF_AND:
    case op.BPF_XOR:
    case op.BPF_ADD | op.BPF_FETCH:
    case op.BPF_OR | op.BPF_FETCH:
    case op.BPF_AND | op.BPF_FETCH:
    case op.BPF_XOR | op.BPF_FETCH:
    case op.BPF_XCHG:
    case op.BPF_CMPXCHG:
      if (size === op.BPF_W || size === op.BPF_DW) return undefined;
      return `atomic operation ${hex(immediate)} (opcode ${hex(opcode)}) exists for 4 and 8 bytes only`;
    default:
      return `no atomic operation (opcode ${hex(opcode)}) has immediate ${hex(immediate)}`;
  }
}

function explainWide(src: number, immediateHigh: number): string | undefined {
  if (src > op.BPF_PSEUDO_MAP_IDX_VALUE) return `the source field of a 64-bit immediate load is 0 to 6, not ${src}`;
  const oneHalf = src === op.BPF_PSEUDO_MAP_FD || src === op.BPF_PSEUDO_FUNC || src === op.BPF_PSEUDO_MAP_IDX;
  if (oneHalf && immediateHigh !== 0) {
    return (
      `the second immediate of a 64-bit immediate load with source field ${src} is reserved and must be 0, ` +
      `not ${immediateHigh}`
    );
  }
  return undefined;
}

function reserved(field: string, opcode: number, value: number): string {
  return `the ${field} field of opcode ${hex(opcode)} is reserved and must be 0, not ${value}`;
}

const hex = (value: number): string => `${value < 0 ? "-" : ""}0x${Math.abs(value).toString(16).padStart(2, "0")}`;
