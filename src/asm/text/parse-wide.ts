/** 64-bit immediates that refer to something: maps, subprograms, kernel variables. */
import type { Instruction, Reference } from "../instruction.ts";
import * as op from "../opcode.ts";
import { W } from "./parse-operands.ts";
import type { ParserState } from "./parser-state.ts";
import type { Scanner } from "./scanner.ts";

const OPERANDS = "a register, a number, a load, or map[…], subprog[…], btf[…]";

/** The part after `rN =` and `word`, which is at `start`. */
export function parseWide(parser: ParserState, register: number, word: string, start: number): Instruction {
  const { scanner } = parser;
  if (register >= W) throw scanner.expected("a 32-bit register (w0 to w10), a number or a load", start);
  let instruction: Instruction;
  if (scanner.code() !== 91 && word !== "") {
    // no [: a symbol, as LLVM writes
    if (!scanner.acceptWord("ll")) throw scanner.expected(OPERANDS, start);
    const symbol = parser.make(op.LDDW, register, op.BPF_PSEUDO_MAP_FD, 0, 0, 0, { kind: "map", name: word });
    parser.symbols.add(symbol);
    return symbol;
  }
  switch (word) {
    case "map":
      instruction = parseMap(parser, register);
      break;
    case "subprog":
      instruction = parseSubprogram(parser, register);
      break;
    case "btf":
      instruction = parseKernelVariable(parser, register);
      break;
    default:
      throw scanner.expected(OPERANDS, start);
  }
  scanner.acceptWord("ll");
  return instruction;
}

/** `map[services]`, `map[fd:5]`, `map[idx:0]`, each optionally with `[0]+4`: the value at byte 4. */
function parseMap(parser: ParserState, register: number): Instruction {
  const { scanner } = parser;
  scanner.position++;
  scanner.skip();
  const start = scanner.position;
  const name = /[\w.]+(:?)/y;
  name.lastIndex = start;
  const found = name.exec(scanner.text);
  if (found === null) throw scanner.expected("a map's name, fd:, id: or idx:", start);
  scanner.position += found[0].length;
  let number = 0;
  let byIndex = false;
  let mapName: string | undefined;
  if (found[1] === ":") {
    // bpftool shows the id in place of the file descriptor.
    byIndex = found[0] === "idx:";
    if (!byIndex && found[0] !== "fd:" && found[0] !== "id:") throw scanner.expected("fd:, id: or idx:", start);
    number = int32(scanner, "a number");
  } else {
    mapName = found[0];
  }
  scanner.expect(93, '"]"');
  if (scanner.code() !== 91) {
    const reference: Reference | undefined = mapName === undefined ? undefined : { kind: "map", name: mapName };
    return parser.make(
      op.LDDW,
      register,
      byIndex ? op.BPF_PSEUDO_MAP_IDX : op.BPF_PSEUDO_MAP_FD,
      0,
      number,
      0,
      reference,
    );
  }
  scanner.position++;
  if (scanner.number("0") !== 0)
    throw scanner.error("only the address of a map's first value can be loaded: expected [0]");
  scanner.expect(93, '"]"');
  const offset = int32(scanner, "+ and an offset in bytes");
  const reference: Reference | undefined =
    mapName === undefined ? undefined : { kind: "map-value", name: mapName, offset };
  return parser.make(
    op.LDDW,
    register,
    byIndex ? op.BPF_PSEUDO_MAP_IDX_VALUE : op.BPF_PSEUDO_MAP_VALUE,
    0,
    number,
    offset,
    reference,
  );
}

/** `subprog[callback]` or `subprog[+3]`. */
function parseSubprogram(parser: ParserState, register: number): Instruction {
  const { scanner } = parser;
  scanner.position++;
  const instruction = scanner.atNumber()
    ? parser.make(op.LDDW, register, op.BPF_PSEUDO_FUNC, 0, int32(scanner, "an offset"), 0)
    : parser.make(op.LDDW, register, op.BPF_PSEUDO_FUNC, 0, 0, 0, { kind: "function", name: label(parser) });
  scanner.expect(93, '"]"');
  return instruction;
}

function label(parser: ParserState): string {
  const { scanner } = parser;
  scanner.skip();
  const start = scanner.position;
  const name = scanner.word();
  if (name === "") throw scanner.expected("a label, or an offset with a sign", start);
  return parser.labelReference(name, start).name;
}

/** `btf[id:7]` or `btf[fd:3, id:7]`. */
function parseKernelVariable(parser: ParserState, register: number): Instruction {
  const { scanner } = parser;
  scanner.position++;
  let module = 0;
  if (scanner.acceptWord("fd")) {
    scanner.expect(58, '":"');
    module = int32(scanner, "a file descriptor");
    scanner.expect(44, '","');
  }
  if (!scanner.acceptWord("id")) throw scanner.expected('"id:"');
  scanner.expect(58, '":"');
  const id = int32(scanner, "a BTF id");
  scanner.expect(93, '"]"');
  return parser.make(op.LDDW, register, op.BPF_PSEUDO_BTF_ID, 0, id, module);
}

function int32(scanner: Scanner, what: string): number {
  scanner.skip();
  const start = scanner.position;
  const value = scanner.number(what);
  if ((value | 0) !== value) throw scanner.error(`expected ${what} of 32 bits`, start);
  return value | 0;
}
