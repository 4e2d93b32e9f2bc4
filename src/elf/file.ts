/** An ELF file's sections, symbols and relocations. Other files give them their meaning for BPF. */
import { ElfError } from "./error.ts";
import {
  EM_BPF,
  ET_REL,
  HEADER_SIZE,
  RELOCATION_SIZE,
  SECTION_HEADER_SIZE,
  SHN_LORESERVE,
  SHT_NOBITS,
  SHT_REL,
  SHT_RELA,
  SHT_SYMTAB,
  STT_SECTION,
  SYMBOL_SIZE,
} from "./format.ts";

export interface Section {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  /** Bytes. A section without content (`SHT_NOBITS`) has a size too, and empty `data`. */
  readonly size: number;
  /** A view of the file's bytes. */
  readonly data: Uint8Array;
  readonly link: number;
  readonly info: number;
}

export interface Symbol {
  /** The symbol's name; the section's name for a section symbol. */
  readonly name: string;
  readonly binding: number;
  readonly type: number;
  /** The section that defines it; undefined if the file only refers to it. */
  readonly section: Section | undefined;
  /** Bytes from the start of its section. */
  readonly value: number;
  readonly size: number;
}

export interface Relocation {
  /** Bytes from the start of the relocated section. */
  readonly offset: number;
  readonly type: number;
  readonly symbol: Symbol;
}

export interface ElfFile {
  readonly sections: readonly Section[];
  readonly symbols: readonly Symbol[];
  /** By the number of the section they apply to. */
  readonly relocations: ReadonlyMap<number, readonly Relocation[]>;
}

/**
 * Reads a relocatable, little-endian 64-bit ELF file for BPF. Sections are views
 * of the file's bytes, without a copy.
 * @throws {ElfError} for another kind of file, and for one with parts outside its bytes
 */
export function parseElf(file: Uint8Array): ElfFile {
  // Not as a `Buffer`, whose `slice` does not copy.
  const bytes = new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  checkHeader(view, bytes);
  const sections = readSections(view, bytes);
  const symbolTables = sections.filter((section) => section.type === SHT_SYMTAB);
  if (symbolTables.length > 1)
    throw new ElfError("a second symbol table, where a relocatable file has one", {
      section: symbolTables[1]!.name,
    });
  const table = symbolTables[0];
  const symbols = table === undefined ? [] : readSymbols(table, sections);
  const relocations = new Map<number, Relocation[]>();
  for (const section of sections) {
    if (section.type === SHT_RELA)
      throw new ElfError("relocations with addends (SHT_RELA) are not supported: BPF compilers write SHT_REL", {
        section: section.name,
      });
    if (section.type !== SHT_REL) continue;
    const list = relocations.get(section.info) ?? [];
    for (const relocation of readRelocations(section, symbols)) list.push(relocation);
    relocations.set(section.info, list);
  }
  return { sections, symbols, relocations };
}

/** 64 bits as a number. Beyond 2^53 it loses digits, but lies outside any file. */
function u64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x1_0000_0000;
}

function checkHeader(view: DataView, bytes: Uint8Array): void {
  if (bytes.length < 4 || view.getUint32(0, false) !== 0x7f454c46)
    throw new ElfError("not an ELF file: it does not begin with 7f 45 4c 46");
  if (bytes.length < HEADER_SIZE)
    throw new ElfError(`the file is cut off: ${bytes.length} bytes, and the ELF header alone takes ${HEADER_SIZE}`);
  if (bytes[4] !== 2 || bytes[5] !== 1)
    throw new ElfError("not a 64-bit little-endian ELF file: compile with -target bpf (or bpfel)");
  const machine = view.getUint16(18, true);
  if (machine !== EM_BPF)
    throw new ElfError(`the ELF file is for machine ${machine}, not for BPF (${EM_BPF}): compile with -target bpf`);
  const type = view.getUint16(16, true);
  if (type !== ET_REL)
    throw new ElfError(
      `the ELF file is of type ${type}, not relocatable (${ET_REL}): compile with -c, without linking`,
    );
}

function readSections(view: DataView, bytes: Uint8Array): Section[] {
  const table = u64(view, 40);
  const entry = view.getUint16(58, true);
  const count = view.getUint16(60, true);
  const names = view.getUint16(62, true);
  if (entry !== SECTION_HEADER_SIZE)
    throw new ElfError(`section headers of ${entry} bytes; ELF has ${SECTION_HEADER_SIZE}`);
  if (count === 0) throw new ElfError("the file has no sections");
  if (table + count * SECTION_HEADER_SIZE > bytes.length) {
    throw new ElfError(
      `the file is cut off: its ${count} section headers end at byte ${table + count * SECTION_HEADER_SIZE}, ` +
        `and it has ${bytes.length}`,
    );
  }
  const unnamed = Array.from({ length: count }, (_, index) => {
    const at = table + index * SECTION_HEADER_SIZE;
    const type = view.getUint32(at + 4, true);
    const start = u64(view, at + 24);
    const size = u64(view, at + 32);
    const inFile = index !== 0 && type !== SHT_NOBITS;
    if (inFile && start + size > bytes.length)
      throw new ElfError(
        `the file is cut off: section ${index} ends at byte ${start + size}, and the file has ${bytes.length}`,
      );
    return {
      index,
      nameOffset: view.getUint32(at, true),
      type,
      flags: view.getUint32(at + 8, true),
      size: index === 0 ? 0 : size,
      data: inFile ? bytes.subarray(start, start + size) : new Uint8Array(0),
      link: view.getUint32(at + 40, true),
      info: view.getUint32(at + 44, true),
    };
  });
  const text = unnamed[names]?.data;
  if (text === undefined) throw new ElfError(`the header places the section names in section ${names} of ${count}`);
  return unnamed.map(({ nameOffset, ...section }) => ({
    ...section,
    name: section.index === 0 ? "" : readText(text, nameOffset),
  }));
}

function readText(strings: Uint8Array, offset: number): string {
  if (offset === 0) return "";
  const end = strings.indexOf(0, offset);
  if (offset >= strings.length || end < 0)
    throw new ElfError(`a name at offset ${offset} of a string table of ${strings.length} bytes`);
  return Buffer.from(strings.subarray(offset, end)).toString();
}

function readSymbols(table: Section, sections: readonly Section[]): Symbol[] {
  const strings = sections[table.link]?.data;
  if (strings === undefined)
    throw new ElfError(`its names are in section ${table.link} of ${sections.length}`, {
      section: table.name,
    });
  if (table.size % SYMBOL_SIZE !== 0)
    throw new ElfError(`its ${table.size} bytes are not a multiple of a symbol's ${SYMBOL_SIZE}`, {
      section: table.name,
    });
  const view = new DataView(table.data.buffer, table.data.byteOffset, table.data.byteLength);
  return Array.from({ length: table.size / SYMBOL_SIZE }, (_, i) => {
    const at = i * SYMBOL_SIZE;
    const info = view.getUint8(at + 4);
    const type = info & 0xf;
    const index = view.getUint16(at + 6, true);
    if (index < SHN_LORESERVE && index >= sections.length)
      throw new ElfError(`symbol ${i} is in section ${index} of ${sections.length}`, {
        section: table.name,
      });
    // From SHN_LORESERVE on, the number marks an absolute value or a source file's name.
    const section = index === 0 || index >= SHN_LORESERVE ? undefined : sections[index];
    return {
      name: type === STT_SECTION && section !== undefined ? section.name : readText(strings, view.getUint32(at, true)),
      binding: info >>> 4,
      type,
      section,
      value: u64(view, at + 8),
      size: u64(view, at + 16),
    };
  });
}

function readRelocations(section: Section, symbols: readonly Symbol[]): Relocation[] {
  if (section.size % RELOCATION_SIZE !== 0)
    throw new ElfError(`its ${section.size} bytes are not a multiple of a relocation's ${RELOCATION_SIZE}`, {
      section: section.name,
    });
  const view = new DataView(section.data.buffer, section.data.byteOffset, section.data.byteLength);
  return Array.from({ length: section.size / RELOCATION_SIZE }, (_, i) => {
    const at = i * RELOCATION_SIZE;
    const symbol = symbols[view.getUint32(at + 12, true)];
    if (symbol === undefined)
      throw new ElfError(`relocation ${i} is by symbol ${view.getUint32(at + 12, true)} of ${symbols.length}`, {
        section: section.name,
      });
    return { offset: u64(view, at), type: view.getUint32(at + 8, true), symbol };
  });
}
