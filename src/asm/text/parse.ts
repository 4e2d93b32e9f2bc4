import { helperNumber } from "../helpers/index.ts";
import { isLabel, type Instruction, type Item } from "../instruction.ts";
import { makeInstruction } from "../make.ts";
import { BPF_PSEUDO_FUNC, LDDW } from "../opcode.ts";
import { InstructionParser } from "./parse-instruction.ts";
import { hexDigit, isDigit, Scanner } from "./scanner.ts";

/** Options of `parseAssembly`. */
export interface ParseOptions {
  /** The file's name, for errors. */
  readonly file?: string;
  /** Whether to set each instruction's `source`, about a third of the time of parsing. Default: true with `file`. */
  readonly sources?: boolean;
}

/**
 * Parses assembly in the syntax of the verifier's log and of LLVM, an instruction or a
 * label on each line. Pasted output works as it is: addresses, bytes, states in comments
 * and headings around instructions are skipped. Slot numbers, where shown, must follow
 * one another: a log omits instructions that the verifier did not reach, and jumps over
 * such a gap would miss their targets.
 *
 * Comments begin with `;`, `#` or `//` and end with the line; C's block comments may
 * span lines.
 * @throws {AsmSyntaxError} with line, column and the expectation; also for a label that is
 *   missing or defined twice.
 * label that is missing, or there twice, too.
 *
 * @example
 * ```ts
 * import { parseAssembly, r1 } from "tsbpf/asm";
 *
 * parseAssembly("if r1 == 0 goto out\nr0 = 1\nout: exit");
 * ```
 */
export function parseAssembly(text: string, options: ParseOptions = {}): Item[] {
  const items: Item[] = [];
  const { labels, symbols } = readAssembly(text, options, (item) => items.push(item));
  return symbols.size === 0
    ? items
    : items.map((item) => (!isLabel(item) && symbols.has(item) ? resolveSymbol(item, labels) : item));
}

export interface ReadResult {
  readonly labels: ReadonlySet<string>;
  /** Loads of a bare name: a subprogram's address if such a label exists, else a map. */
  readonly symbols: ReadonlySet<Item>;
}

/**
 * `parseAssembly` without a list: passes on each item once it is parsed.
 * @throws {AsmSyntaxError}
 */
export function readAssembly(
  text: string,
  { file, sources = file !== undefined }: ParseOptions,
  take: (item: Item) => void,
): ReadResult {
  const scanner = new Scanner(text, file);
  const parser = new InstructionParser(scanner);
  const labels = new Set<string>();
  const mayHaveHeading = text.includes(":\tfile format elf64-");
  let line = 0;
  let lineStart = 0;
  /** The expected slot of the next line, if lines show slots; else -1. */
  let nextSlot = -1;

  while (scanner.position < text.length) {
    if (sources) {
      // Comments may contain line ends, so count skipped characters, not iterations.
      for (
        let end = text.indexOf("\n", lineStart);
        end >= 0 && end < scanner.position;
        end = text.indexOf("\n", lineStart)
      ) {
        line++;
        lineStart = end + 1;
      }
    }
    if (scanner.atLineEnd() || (mayHaveHeading && isFileHeading(scanner)) || skipPrefix(parser)) {
      scanner.skipLine();
      continue;
    }
    const start = scanner.position;
    const { shownSlot } = parser;
    if (shownSlot >= 0 && nextSlot >= 0 && shownSlot !== nextSlot) {
      throw scanner.error(
        `slot ${shownSlot} is out of turn: expected slot ${nextSlot}, so that jumps keep their targets`,
        start,
      );
    }
    if (sources) parser.source = { file: file ?? "", line: line + 1, column: start - lineStart + 1 };
    const register = scanner.register();
    let instruction: Instruction;
    if (register >= 0) {
      instruction = parser.assignment(register);
    } else if (scanner.code() === 42) {
      instruction = parser.store();
    } else {
      const word = scanner.word();
      if (word !== "" && scanner.code() === 58) {
        scanner.position++;
        define(scanner, labels, word, start);
        take({ label: word });
        continue;
      }
      if (word !== "" && isHeading(scanner, word)) {
        scanner.skipLine();
        continue;
      }
      if (scanner.code() === 60 && word === "") {
        // objdump's <name>:
        take({ label: objdumpLabel(scanner, labels) });
        continue;
      }
      instruction = parser.keyword(word, start);
    }
    nextSlot = shownSlot < 0 ? -1 : shownSlot + (instruction.opcode === LDDW ? 2 : 1);
    take(instruction);
    // objdump appends the name of a jump's target.
    if (scanner.skip() === 60) skipSymbol(scanner);
    if (!scanner.atLineEnd()) throw scanner.expected("the end of the line");
    scanner.skipLine();
  }
  for (const { name, position } of parser.references) {
    if (!labels.has(name))
      throw scanner.error(`label or helper ${JSON.stringify(name)} is not defined: expected one that is`, position);
  }
  return { labels, symbols: parser.symbols };
}

function define(scanner: Scanner, labels: Set<string>, name: string, start: number): void {
  if (labels.has(name))
    throw scanner.error(`label ${JSON.stringify(name)} is defined twice: expected another name`, start);
  if (helperNumber(name) !== undefined)
    throw scanner.error(`${name} is a helper: expected another name for the label`, start);
  labels.add(name);
}

function resolveSymbol(item: Instruction, labels: ReadonlySet<string>): Instruction {
  const { opcode, dst, reference, source } = item;
  if (reference?.kind !== "map" || !labels.has(reference.name)) return item;
  return makeInstruction(opcode, dst, BPF_PSEUDO_FUNC, 0, 0, 0, { kind: "function", name: reference.name }, source);
}

/**
 * Skips a log's or a dump's prefix of an instruction: `12:`, the opcode as in `(61)`, the
 * bytes. Returns true if the rest of the line is to be ignored.
 */
function skipPrefix(parser: InstructionParser): boolean {
  const { scanner } = parser;
  const { text } = scanner;
  parser.loggedOpcode = -1;
  parser.shownSource = -1;
  parser.shownSlot = -1;
  let end = scanner.position;
  if (isDigit(text.charCodeAt(end))) {
    while (hexDigit(text.charCodeAt(end)) >= 0) end++;
    const after = text.charCodeAt(end);
    if (after === 58) {
      parser.shownSlot = Number(text.slice(scanner.position, end));
      scanner.position = end + 1;
    } else if (after === 32 && text.charCodeAt(end + 1) === 60) {
      // 0000000000000138 <name>:
      scanner.position = end + 1;
    } else {
      throw scanner.expected("an instruction, or a label with a colon");
    }
    skipBytes(parser);
    skipLiveRegisters(scanner);
    const code = scanner.skip();
    // The verifier prints register states this way; objdump, a relocation.
    if (code === 82 && isDigit(text.charCodeAt(scanner.position + 1))) return true;
    if (text.startsWith("R_BPF_", scanner.position)) {
      throw scanner.error("a relocation is not applied: expected a disassembly without them (objdump -d, not -r)");
    }
  }
  if (scanner.skip() === 40) {
    // (61)
    const high = hexDigit(text.charCodeAt(scanner.position + 1));
    const low = hexDigit(text.charCodeAt(scanner.position + 2));
    if (high < 0 || low < 0 || text.charCodeAt(scanner.position + 3) !== 41)
      throw scanner.expected("an instruction, or a label with a colon");
    parser.loggedOpcode = high * 16 + low;
    scanner.position += 4;
  }
  return scanner.atLineEnd();
}

/** Skips a column of 8 or 16 bytes. */
function skipBytes(parser: InstructionParser): void {
  const { scanner } = parser;
  const bytes = /(?:[0-9a-f]{2}[ \t]+){8,16}/y;
  scanner.skip();
  bytes.lastIndex = scanner.position;
  const found = bytes.exec(scanner.text);
  if (found === null) return;
  scanner.position += found[0].length;
  parser.shownSource = hexDigit(found[0].charCodeAt(3));
}

/** Skips the verifier's table of live registers before the opcode: `.1....6..9`. */
function skipLiveRegisters(scanner: Scanner): void {
  const registers = /[.\d]{10,11} (?=\()/y;
  scanner.skip();
  registers.lastIndex = scanner.position;
  if (registers.test(scanner.text)) scanner.position = registers.lastIndex;
}

/** Whether this is objdump's heading, which names the file by any path: `./dir/prog.o:	file format elf64-bpf`. */
function isFileHeading(scanner: Scanner): boolean {
  const heading = /[^\n]*:\tfile format elf64-/y;
  heading.lastIndex = scanner.position;
  return heading.test(scanner.text);
}

/** `<name>:`. */
function objdumpLabel(scanner: Scanner, labels: Set<string>): string {
  scanner.position++;
  const start = scanner.position;
  const name = scanner.word();
  if (name === "") throw scanner.expected("a name", start);
  scanner.expect(62, '">"');
  scanner.expect(58, '":"');
  define(scanner, labels, name, start);
  return name;
}

/** `<name+0x8>`. */
function skipSymbol(scanner: Scanner): void {
  const end = scanner.text.indexOf(">", scanner.position);
  if (end < 0) throw scanner.expected('">"');
  scanner.position = end + 1;
}

/** Directives without effect on instructions, and the tools' own lines. */
function isHeading(scanner: Scanner, word: string): boolean {
  switch (word) {
    case ".text":
    case ".globl":
    case ".global":
    case ".type":
    case ".size":
    case ".p2align":
    case ".file":
    case ".ident":
    case ".addrsig":
    case ".addrsig_sym":
    case "Disassembly":
    case "Live":
    case "processed":
      return true;
    case "func":
      return scanner.code() === 35;
    default:
      return false;
  }
}
