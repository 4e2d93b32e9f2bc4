/** Sections of code: their functions, and their instructions with source lines and CO-RE relocations applied. */
import { AsmError, decode, isWide, SLOT_SIZE, type Instruction } from "../asm/index.ts";
import { BtfError, type Btf, type BtfExt, type CoreRecord, type CoreRelocations } from "../btf/index.ts";
import { relocateCore } from "./core.ts";
import { ElfError } from "./error.ts";
import type { ElfFile, Relocation, Section } from "./file.ts";
import { SHF_EXECINSTR, SHT_PROGBITS, STB_LOCAL, STT_FUNC } from "./format.ts";

/** A function of a section of code. */
export interface CodeFunction {
  readonly name: string;
  readonly section: CodeSection;
  /** Visible outside the file, as every main program is. */
  readonly global: boolean;
  /** Bytes from the start of the section. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** Why the function cannot be used. */
  readonly fault?: ElfError;
}

export interface CodeSection {
  readonly name: string;
  /** By byte offset. */
  readonly functions: ReadonlyMap<number, CodeFunction>;
  /** The instructions, by byte offset. */
  readonly instructions: ReadonlyMap<number, Instruction>;
  /** By the byte offset of the instruction that they apply to. */
  readonly relocations: ReadonlyMap<number, Relocation>;
  /** Why an instruction cannot be used, by byte offset. */
  readonly faults: ReadonlyMap<number, ElfError>;
}

/** The object's types, and what they say about its code. */
export interface CodeContext {
  readonly btf: Btf;
  readonly ext: BtfExt;
}

export const isCode = (section: Section) =>
  section.type === SHT_PROGBITS && (section.flags & SHF_EXECINSTR) !== 0 && section.size > 0;

/**
 * Reads the sections of code, with source lines and CO-RE relocations applied.
 * What is wrong in one function or instruction is noted there, and does not
 * affect the others.
 * @returns the sections by number
 */
export function readCode(
  elf: ElfFile,
  context: CodeContext,
  relocations: CoreRelocations,
): ReadonlyMap<number, CodeSection> {
  const sections = new Map<number, MutableSection>();
  for (const section of elf.sections)
    if (isCode(section)) sections.set(section.index, readSection(elf, section, context));
  // In the order of the records: each answer narrows the next ones.
  for (const [name, records] of context.ext.core) {
    const code = [...sections.values()].find((section) => section.name === name);
    if (code !== undefined) for (const record of records) relocate(code, record, relocations);
  }
  return sections;
}

interface MutableSection extends CodeSection {
  readonly functions: Map<number, CodeFunction>;
  readonly instructions: Map<number, Instruction>;
  readonly faults: Map<number, ElfError>;
}

function readSection(elf: ElfFile, section: Section, context: CodeContext): MutableSection {
  const fail = (reason: string, symbol?: string, cause?: unknown) =>
    new ElfError(reason, { section: section.name, ...(symbol === undefined ? {} : { symbol }), cause });
  const instructions = new Map<number, Instruction>();
  const faults = new Map<number, ElfError>();
  /** The fault of the section as a whole. */
  let broken: ElfError | undefined;
  try {
    let offset = 0;
    for (const instruction of decode(section.data)) {
      instructions.set(offset, instruction);
      offset += isWide(instruction) ? 2 * SLOT_SIZE : SLOT_SIZE;
    }
    addSources(instructions, section.name, context);
  } catch (error) {
    if (!(error instanceof AsmError) && !(error instanceof BtfError)) throw error;
    broken = fail(error.message, undefined, error);
  }
  const relocations = new Map<number, Relocation>();
  for (const relocation of elf.relocations.get(section.index) ?? []) {
    if (!instructions.has(relocation.offset))
      broken ??= fail(`a relocation at byte ${relocation.offset}, where no instruction begins`, relocation.symbol.name);
    relocations.set(relocation.offset, relocation);
  }
  for (const { offset } of context.ext.core.get(section.name) ?? []) {
    if (!instructions.has(offset)) broken ??= fail(`a CO-RE relocation at byte ${offset}, where no instruction begins`);
  }
  const functions = new Map<number, CodeFunction>();
  const code: MutableSection = { name: section.name, functions, instructions, relocations, faults };
  for (const symbol of elf.symbols) {
    if (symbol.section !== section || symbol.type !== STT_FUNC) continue;
    const { name, value, size } = symbol;
    const end = value + size;
    const isWhole = size !== 0 && instructions.has(value) && (end === section.size || instructions.has(end));
    const fault =
      broken ??
      (isWhole
        ? undefined
        : fail(
            `its symbol says bytes ${value} to ${end}, ` +
              `which are not whole instructions of the section's ${section.size} bytes`,
            name,
          ));
    functions.set(value, {
      name,
      section: code,
      global: symbol.binding !== STB_LOCAL,
      offset: value,
      size,
      ...(fault && { fault }),
    });
  }
  return code;
}

function relocate(code: MutableSection, record: CoreRecord, relocations: CoreRelocations): void {
  const instruction = code.instructions.get(record.offset);
  if (instruction === undefined) return;
  try {
    relocateCore(instruction, relocations.resolve(record)).forEach((each, i) =>
      code.instructions.set(record.offset + i * SLOT_SIZE, each),
    );
  } catch (error) {
    if (!(error instanceof BtfError)) throw error;
    const { source } = instruction;
    const place = source === undefined ? `at byte ${record.offset}` : `at ${source.file}:${source.line}`;
    const reason = `CO-RE relocation ${place}: ${error.message}`;
    code.faults.set(record.offset, new ElfError(reason, { section: code.name, cause: error }));
  }
}

/** Turns line_info into each instruction's source: a record holds until the next one. */
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
