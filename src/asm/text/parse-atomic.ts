/** Atomic operations and the ordered loads and stores. */
import type { Instruction } from "../instruction.ts";
import * as op from "../opcode.ts";
import { address, parenthesizedAddress, pointerType, registerFor, sizeField, W } from "./parse-operands.ts";
import type { ParserState } from "./parser-state.ts";
import type { Scanner } from "./scanner.ts";

/** The part after `lock`: `*(u64 *)(r1 + 0) += r2`. */
export function parseLock(parser: ParserState): Instruction {
  const { scanner } = parser;
  scanner.expect(42, '"*"');
  const bits = atomicType(scanner);
  parenthesizedAddress(scanner, parser.address);
  const { register, offset } = parser.address;
  scanner.skip();
  const start = scanner.position;
  let operation: number;
  switch (scanner.text.slice(start, start + 2)) {
    case "+=":
      operation = op.BPF_ADD;
      break;
    case "|=":
      operation = op.BPF_OR;
      break;
    case "&=":
      operation = op.BPF_AND;
      break;
    case "^=":
      operation = op.BPF_XOR;
      break;
    default:
      throw scanner.expected('"+=", "|=", "&=" or "^="');
  }
  scanner.position += 2;
  return parser.make(
    op.BPF_STX | op.BPF_ATOMIC | sizeField(bits),
    register,
    registerFor(scanner, bits),
    offset,
    operation,
  );
}

/** `load_acquire((u64 *)(r1 + 0))`. */
export function parseLoadAcquire(parser: ParserState, register: number, start: number): Instruction {
  const { scanner } = parser;
  scanner.expect(40, '"("');
  const bits = orderedType(scanner);
  if (bits === 64 && register >= W)
    throw scanner.error("a 32-bit register takes 4 bytes or less: expected u8, u16 or u32", start);
  parenthesizedAddress(scanner, parser.address);
  scanner.expect(41, '")"');
  const { register: base, offset } = parser.address;
  return parser.make(op.BPF_STX | op.BPF_ATOMIC | sizeField(bits), register & 15, base, offset, op.BPF_LOAD_ACQ);
}

const fetchOperations: Readonly<Record<string, number>> = {
  add: op.BPF_ADD | op.BPF_FETCH,
  or: op.BPF_OR | op.BPF_FETCH,
  and: op.BPF_AND | op.BPF_FETCH,
  xor: op.BPF_XOR | op.BPF_FETCH,
  xchg: op.BPF_XCHG,
  cmpxchg: op.BPF_CMPXCHG,
};

/**
 * `atomic_fetch_add((u64 *)(r1 + 0), r2)`, `xchg_64(r1 + 0, r2)`,
 * `cmpxchg32_32(r1 + 0, w0, w2)`, and the verifier's `atomic64_xchg((u64 *)(r1 +0), r2)`.
 */
export function parseFetch(
  parser: ParserState,
  register: number,
  start: number,
  name: string,
  suffix: string | undefined,
): Instruction {
  const { scanner } = parser;
  scanner.expect(40, '"("');
  let bits = suffix === "_64" ? 64 : 32;
  if (suffix === undefined) {
    bits = atomicType(scanner);
    parenthesizedAddress(scanner, parser.address);
  } else {
    address(scanner, parser.address);
  }
  const { register: base, offset } = parser.address;
  const result = register & 15;
  if (register >= W && bits === 64)
    throw scanner.error("an atomic operation on 8 bytes gives a 64-bit register: expected r0 to r10", start);
  scanner.expect(44, '","');
  if (name === "cmpxchg") {
    scanner.skip();
    const place = scanner.position;
    if (registerFor(scanner, bits) !== 0)
      throw scanner.expected(`${bits === 64 ? "r0" : "w0"}, which a compare and exchange compares with`, place);
    scanner.expect(44, '","');
  }
  scanner.skip();
  const place = scanner.position;
  const src = registerFor(scanner, bits);
  scanner.expect(41, '")"');
  const receiver = name === "cmpxchg" ? 0 : src;
  if (result !== receiver)
    throw scanner.error(
      `register ${receiver} receives the old value: expected it on the left, not register ${result}`,
      place,
    );
  return parser.make(op.BPF_STX | op.BPF_ATOMIC | sizeField(bits), base, src, offset, fetchOperations[name]!);
}

/** The part after `store_release`: `((u64 *)(r1 + 0), r2)`. */
export function parseStoreRelease(parser: ParserState): Instruction {
  const { scanner } = parser;
  scanner.expect(40, '"("');
  const bits = orderedType(scanner);
  parenthesizedAddress(scanner, parser.address);
  const { register, offset } = parser.address;
  scanner.expect(44, '","');
  const src = registerFor(scanner, bits);
  scanner.expect(41, '")"');
  return parser.make(op.BPF_STX | op.BPF_ATOMIC | sizeField(bits), register, src, offset, op.BPF_STORE_REL);
}

/** `(u32 *)` or `(u64 *)`. */
function atomicType(scanner: Scanner): number {
  scanner.skip();
  const start = scanner.position;
  const bits = pointerType(scanner);
  if (bits !== 32 && bits !== 64)
    throw scanner.error("an atomic operation takes 4 or 8 bytes: expected u32 or u64", start);
  return bits;
}

/** The type of an ordered load or store: any size, no sign. */
function orderedType(scanner: Scanner): number {
  scanner.skip();
  const start = scanner.position;
  const bits = pointerType(scanner);
  if (bits < 0) throw scanner.error("an ordered load or store has no sign: expected u8, u16, u32 or u64", start);
  return bits;
}
