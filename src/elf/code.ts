/** Sections of code: their functions, and their instructions with source lines and CO-RE relocations applied. */
import { AsmError, decode, isWide, SLOT_SIZE, type Instruction } from "../asm/index.ts";
import { BtfError, type Btf, type BtfExt } from "../btf/index.ts";
import { relocateCore } from "./core.ts";
import { ElfError } from "./error.ts";
import type { ElfFile, Relocation, Section } from "./file.ts";
import { SHF_EXECINSTR, SHT_PROGBITS, STB_LOCAL, STT_FUNC } from "./format.ts";

export interface CodeFunction {
  readonly name: string;
  readonly section: CodeSection;
  /** Visible outside of the file; main programs are. */
  readonly global: boolean;
  /** Bytes from the start of the section. */
  readonly offset: number;
  readonly size: number;
}

export interface CodeSection {
  readonly name: string;
  /** By byte offset. */
  readonly functions: ReadonlyMap<number, CodeFunction>;
  /** The instructions, by byte offset. */
  readonly instructions: ReadonlyMap<number, Instruction>;
  /** By the byte offset of the instruction that they apply to. */
  readonly relocations: ReadonlyMap<number, Relocation>;
}

/** What is known beside the code. */
export interface CodeContext {
  readonly btf: Btf;
  readonly ext: BtfExt;
  /** The kernel's types, for CO-RE; asked for only if needed. */
  readonly target: () => Btf;
}

export const isCode = (section: Section) =>
  section.type === SHT_PROGBITS && (section.flags & SHF_EXECINSTR) !== 0 && section.size > 0;

/** The code of a section. @throws {ElfError} which names the section, and the function if it is about one. */
export function readCode(elf: ElfFile, section: Section, context: CodeContext): CodeSection {
  const fail = (reason: string, symbol?: string, cause?: unknown) =>
    new ElfError(reason, { section: section.name, ...(symbol === undefined ? {} : { symbol }), cause });
  let decoded: Instruction[];
  try {
    decoded = decode(section.data);
  } catch (error) {
    throw error instanceof AsmError ? fail(error.message, undefined, error) : error;
  }
  const instructions = new Map<number, Instruction>();
  let offset = 0;
  for (const instruction of decoded) {
    instructions.set(offset, instruction);
    offset += isWide(instruction) ? 2 * SLOT_SIZE : SLOT_SIZE;
  }
  addSources(instructions, section.name, context);
  for (const record of context.ext.core.get(section.name) ?? []) {
    const instruction = instructions.get(record.offset);
    if (instruction === undefined)
      throw fail(`a CO-RE relocation at byte ${record.offset}, where no instruction begins`);
    try {
      relocateCore(instruction, record, context.btf, context.target).forEach((each, i) =>
        instructions.set(record.offset + i * SLOT_SIZE, each),
      );
    } catch (error) {
      throw error instanceof BtfError
        ? fail(`CO-RE relocation at byte ${record.offset}: ${error.message}`, undefined, error)
        : error;
    }
  }
  const relocations = new Map<number, Relocation>();
  for (const relocation of elf.relocations.get(section.index) ?? []) {
    if (!instructions.has(relocation.offset))
      throw fail(`a relocation at byte ${relocation.offset}, where no instruction begins`, relocation.symbol.name);
    relocations.set(relocation.offset, relocation);
  }
  const functions = new Map<number, CodeFunction>();
  const code: CodeSection = { name: section.name, functions, instructions, relocations };
  for (const symbol of elf.symbols) {
    if (symbol.section !== section || symbol.type !== STT_FUNC) continue;
    const { name, value, size } = symbol;
    const end = value + size;
    if (size === 0 || !instructions.has(value) || (end !== section.size && !instructions.has(end))) {
      throw fail(
        `it is said to take bytes ${value} to ${end}, which are no whole instructions of the section's ${section.size} bytes`,
        name,
      );
    }
    functions.set(value, { name, section: code, global: symbol.binding !== STB_LOCAL, offset: value, size });
  }
  return code;
}

/** line_info as each instruction's source: a record holds until the next one. */
function addSources(instructions: Map<number, Instruction>, section: string, { btf, ext }: CodeContext): void {
  const starts = new Map((ext.lines.get(section) ?? []).map((line) => [line.offset, line]));
  if (starts.size === 0) return;
  let source: Instruction["source"];
  for (const [offset, instruction] of instructions) {
    const line = starts.get(offset);
    if (line !== undefined) {
      source =
        line.line === 0
          ? undefined
          : {
              file: btf.string(line.file),
              line: line.line,
              column: Math.max(1, line.column),
              text: btf.string(line.text),
            };
    }
    if (source !== undefined) instructions.set(offset, { ...instruction, source });
  }
}
