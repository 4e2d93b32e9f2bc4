/** Instructions that begin with a register: `r1 += 22`, `r1 = *(u32 *)(r6 + 4)`, `r0 = cmpxchg_64(r1 + 0, r0, r2)`. */
import type { Instruction } from "../instruction.ts";
import * as op from "../opcode.ts";
import { parseFetch, parseLoadAcquire } from "./parse-atomic.ts";
import { parenthesizedAddress, pointerType, registerOf, sizeField, unsigned, W } from "./parse-operands.ts";
import type { ParserState } from "./parser-state.ts";
import { parseWide } from "./parse-wide.ts";

const OPERATORS = "an operator: = += -= *= /= %= s/= s%= &= |= ^= <<= >>= s>>=";

/** The rest of an instruction that begins with `register` (as `Scanner.register` gives it). */
export function parseAssignment(parser: ParserState, register: number): Instruction {
  const { scanner } = parser;
  const { text } = scanner;
  let code = scanner.skip();
  const start = scanner.position;
  if (code === 61) {
    // =
    scanner.position++;
    return parseMove(parser, register);
  }
  const signed = code === 115; // s
  if (signed) code = text.charCodeAt(++scanner.position);
  let length = 2;
  if ((code === 60 || code === 62) && text.charCodeAt(scanner.position + 1) === code) length = 3;
  const operation = text.charCodeAt(scanner.position + length - 1) === 61 ? operationOf(code, length) : -1;
  const divides = operation === op.BPF_DIV || operation === op.BPF_MOD;
  if (operation < 0 || (signed && !divides && operation !== op.BPF_RSH)) throw scanner.expected(OPERATORS, start);
  scanner.position += length;
  const wide = register < W;
  const opcode = (signed && !divides ? op.BPF_ARSH : operation) | (wide ? op.BPF_ALU64 : op.BPF_ALU);
  const offset = signed && divides ? 1 : 0;
  return scanner.atNumber()
    ? parser.make(opcode, register & 15, 0, offset, parser.immediate(wide))
    : parser.make(opcode | op.BPF_X, register & 15, registerOf(scanner, wide), offset, 0);
}

function operationOf(code: number, length: number): number {
  if (length === 3) return code === 60 ? op.BPF_LSH : op.BPF_RSH;
  switch (code) {
    case 43:
      return op.BPF_ADD;
    case 45:
      return op.BPF_SUB;
    case 42:
      return op.BPF_MUL;
    case 47:
      return op.BPF_DIV;
    case 37:
      return op.BPF_MOD;
    case 38:
      return op.BPF_AND;
    case 124:
      return op.BPF_OR;
    case 94:
      return op.BPF_XOR;
    default:
      return -1;
  }
}

/** The part after `rN =`. */
function parseMove(parser: ParserState, register: number): Instruction {
  const { scanner } = parser;
  const wide = register < W;
  const number = register & 15;
  const cls = wide ? op.BPF_ALU64 : op.BPF_ALU;
  const code = scanner.skip();
  if (code === 42) return parseLoad(parser, register);
  if (code === 40) {
    // (s8)r2
    const bits = castBits(parser, wide);
    return parser.make(cls | op.BPF_MOV | op.BPF_X, number, registerOf(scanner, wide), bits, 0);
  }
  if (scanner.atNumber()) return parseNumber(parser, register);
  if (code === 45) {
    // -r1
    scanner.position++;
    sameRegister(parser, register);
    return parser.make(cls | op.BPF_NEG, number, 0, 0, 0);
  }
  const start = scanner.position;
  const src = scanner.register();
  if (src >= 0) {
    if (src < W !== wide)
      throw scanner.expected(wide ? "a 64-bit register (r0 to r10)" : "a 32-bit register (w0 to w10)", start);
    return parser.make(cls | op.BPF_MOV | op.BPF_X, number, src & 15, 0, 0);
  }
  const word = scanner.word();
  switch (word) {
    case "be16":
    case "be32":
    case "be64":
      return parseSwap(parser, op.BPF_ALU | op.BPF_END | op.BPF_TO_BE, register, Number(word.slice(2)));
    case "le16":
    case "le32":
    case "le64":
      return parseSwap(parser, op.BPF_ALU | op.BPF_END | op.BPF_TO_LE, register, Number(word.slice(2)));
    case "bswap16":
    case "bswap32":
    case "bswap64":
      return parseSwap(parser, op.BPF_ALU64 | op.BPF_END, register, Number(word.slice(5)));
    case "addr_space_cast":
      return parseAddressSpaceCast(parser, register, start);
    case "load_acquire":
      return parseLoadAcquire(parser, register, start);
  }
  const atomic = /^(?:atomic(?:64)?_fetch_(add|or|and|xor)|(?:atomic(?:64)?_)?(xchg|cmpxchg)(_64|32_32)?)$/.exec(word);
  if (atomic !== null) return parseFetch(parser, register, start, atomic[1] ?? atomic[2]!, atomic[3]);
  return parseWide(parser, register, word, start);
}

/** `r1 = 5`, or `r1 = 5 ll`. */
function parseNumber(parser: ParserState, register: number): Instruction {
  const { scanner } = parser;
  const start = scanner.position;
  const value = scanner.number("a number");
  const exact = scanner.wide;
  const marked = scanner.acceptWord("ll");
  // The verifier's log writes 64-bit immediates without the mark, but with the opcode before them.
  if (marked || parser.loggedOpcode === op.LDDW) {
    if (register >= W) throw scanner.error("a 64-bit immediate goes to a 64-bit register: expected r0 to r10", start);
    if (exact === undefined)
      return parser.make(op.LDDW, register, 0, 0, value | 0, Math.floor(value / 0x1_0000_0000) | 0);
    if (exact < -0x8000_0000_0000_0000n || exact > 0xffff_ffff_ffff_ffffn)
      throw scanner.error("expected a number of 64 bits", start);
    return parser.make(
      op.LDDW,
      register,
      0,
      0,
      Number(BigInt.asIntN(32, exact)),
      Number(BigInt.asIntN(32, exact >> 32n)),
    );
  }
  const wide = register < W;
  const field = value | 0;
  if (field !== value && (wide || value >>> 0 !== value)) {
    throw scanner.error(
      `${scanner.text.slice(start, scanner.position)} is not a signed number of 32 bits: ` +
        (wide ? 'expected "ll" after it, which makes it a 64-bit immediate' : "a 32-bit register holds no more"),
      start,
    );
  }
  return parser.make(op.BPF_MOV | (wide ? op.BPF_ALU64 : op.BPF_ALU), register & 15, 0, 0, field);
}

/** `(s8)`, `(s16)`, or for whole registers `(s32)`. */
function castBits(parser: ParserState, wide: boolean): number {
  const { scanner } = parser;
  scanner.position++;
  scanner.skip();
  const start = scanner.position;
  const word = scanner.word();
  const bits = word === "s8" ? 8 : word === "s16" ? 16 : word === "s32" && wide ? 32 : 0;
  if (bits === 0) throw scanner.expected(wide ? "s8, s16 or s32" : "s8 or s16", start);
  scanner.expect(41, '")"');
  return bits;
}

function sameRegister(parser: ParserState, register: number): void {
  const { scanner } = parser;
  scanner.skip();
  const start = scanner.position;
  if (scanner.register() !== register)
    throw scanner.expected(`${register < W ? "r" : "w"}${register & 15}, the register on the left`, start);
}

function parseSwap(parser: ParserState, opcode: number, register: number, bits: number): Instruction {
  if (bits === 64 && register >= W)
    throw parser.scanner.error("a swap of 64 bits takes a 64-bit register: expected r0 to r10");
  sameRegister(parser, register);
  return parser.make(opcode, register & 15, 0, 0, bits);
}

/** `*(u32 *)(r6 + 4)` or `*(u32 *)skb[4]`. */
function parseLoad(parser: ParserState, register: number): Instruction {
  const { scanner } = parser;
  scanner.position++;
  scanner.skip();
  const start = scanner.position;
  const bits = pointerType(scanner);
  if (scanner.acceptWord("skb")) return parsePacketLoad(parser, register, bits, start);
  if (register >= W && (bits < 0 || bits === 64)) {
    throw scanner.error("a 32-bit register takes 4 bytes or less, without sign: expected u8, u16 or u32", start);
  }
  parenthesizedAddress(scanner, parser.address);
  const mode = bits < 0 ? op.BPF_MEMSX : op.BPF_MEM;
  return parser.make(
    op.BPF_LDX | mode | sizeField(Math.abs(bits)),
    register & 15,
    parser.address.register,
    parser.address.offset,
    0,
  );
}

function parsePacketLoad(parser: ParserState, register: number, bits: number, start: number): Instruction {
  const { scanner } = parser;
  if ((register & 15) !== 0) throw scanner.error("a packet load goes to register 0: expected r0", start);
  if (bits !== 8 && bits !== 16 && bits !== 32)
    throw scanner.error("a packet load takes 4 bytes or less: expected u8, u16 or u32", start);
  scanner.expect(91, '"["');
  let opcode = op.BPF_LD | op.BPF_ABS | sizeField(bits);
  let src = 0;
  let offset = 0;
  if (scanner.atNumber()) {
    offset = parser.immediate(false);
  } else {
    opcode = op.BPF_LD | op.BPF_IND | sizeField(bits);
    src = registerOf(scanner, true);
    const sign = scanner.skip();
    if (sign === 43 || sign === 45) {
      scanner.position++;
      const value = scanner.number("an offset");
      offset = (sign === 45 ? -value : value) | 0;
      if (offset !== (sign === 45 ? -value : value)) throw scanner.error("expected an offset of 32 bits");
    }
  }
  scanner.expect(93, '"]"');
  return parser.make(opcode, 0, src, 0, offset);
}

/** `addr_space_cast(r2, 1, 0)`. */
function parseAddressSpaceCast(parser: ParserState, register: number, start: number): Instruction {
  const { scanner } = parser;
  if (register >= W) throw scanner.error("an address takes a 64-bit register: expected r0 to r10", start);
  scanner.expect(40, '"("');
  const src = registerOf(scanner, true);
  scanner.expect(44, '","');
  const to = unsigned(scanner, "an address space", 0xffff);
  scanner.expect(44, '","');
  const from = unsigned(scanner, "an address space", 0xffff);
  scanner.expect(41, '")"');
  return parser.make(op.BPF_ALU64 | op.BPF_MOV | op.BPF_X, register, src, 1, (to << 16) | from);
}
