/** Lays out an ELF file: sections, symbols, relocations. Equal input gives equal bytes. */
import {
  EM_BPF,
  ET_REL,
  HEADER_SIZE,
  RELOCATION_SIZE,
  SECTION_HEADER_SIZE,
  SHF_INFO_LINK,
  SHT_NOBITS,
  SHT_REL,
  SHT_STRTAB,
  SHT_SYMTAB,
  STB_LOCAL,
  SYMBOL_SIZE,
} from "./format.ts";

export interface NewSection {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  /** A power of two. */
  readonly align: number;
  readonly data: Uint8Array;
  /** Bytes, if larger than `data` (`SHT_NOBITS`). */
  readonly size?: number;
  readonly relocations?: readonly NewRelocation[];
}

export interface NewRelocation {
  /** Bytes from the start of the section. */
  readonly offset: number;
  readonly type: number;
  readonly symbol: NewSymbol;
}

export interface NewSymbol {
  /** Empty for a section symbol. */
  readonly name: string;
  readonly binding: number;
  readonly type: number;
  readonly section: NewSection;
  readonly value: number;
  readonly size: number;
}

interface Header {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly align: number;
  readonly data: Uint8Array;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly entry: number;
}

const NOTHING: Header = {
  name: "",
  type: 0,
  flags: 0,
  align: 0,
  data: new Uint8Array(0),
  size: 0,
  link: 0,
  info: 0,
  entry: 0,
};

/** The bytes of a relocatable ELF file for BPF. The relocations of a section follow it in their own. */
export function writeElf(sections: readonly NewSection[], symbols: readonly NewSymbol[]): Uint8Array {
  // Local symbols come first (gABI, "Symbol Table").
  const ordered = [
    ...symbols.filter((symbol) => symbol.binding === STB_LOCAL),
    ...symbols.filter((symbol) => symbol.binding !== STB_LOCAL),
  ];
  const symbolNumbers = new Map(ordered.map((symbol, i) => [symbol, i + 1]));
  const sectionNumbers = new Map<NewSection, number>();
  let count = 2; // after the empty section and the string table
  for (const section of sections) {
    sectionNumbers.set(section, count);
    count += (section.relocations ?? []).length > 0 ? 2 : 1;
  }
  const symbolTable = count;
  const strings = new Strings();

  const symbolBytes = new Uint8Array(SYMBOL_SIZE * (1 + ordered.length));
  const symbolView = new DataView(symbolBytes.buffer);
  ordered.forEach((symbol, i) => {
    const at = SYMBOL_SIZE * (i + 1);
    symbolView.setUint32(at, strings.offset(symbol.name), true);
    symbolView.setUint8(at + 4, (symbol.binding << 4) | symbol.type);
    symbolView.setUint16(at + 6, sectionNumbers.get(symbol.section)!, true);
    symbolView.setBigUint64(at + 8, BigInt(symbol.value), true);
    symbolView.setBigUint64(at + 16, BigInt(symbol.size), true);
  });

  const headers: Header[] = [];
  for (const section of sections) {
    headers.push({ ...section, size: section.size ?? section.data.length, link: 0, info: 0, entry: 0 });
    if ((section.relocations ?? []).length === 0) continue;
    const data = encodeRelocations(section.relocations!, symbolNumbers);
    headers.push({
      name: `.rel${section.name}`,
      type: SHT_REL,
      flags: SHF_INFO_LINK,
      align: 8,
      data,
      size: data.length,
      link: symbolTable,
      info: sectionNumbers.get(section)!,
      entry: RELOCATION_SIZE,
    });
  }
  const locals = ordered.filter((symbol) => symbol.binding === STB_LOCAL).length;
  headers.push({
    name: ".symtab",
    type: SHT_SYMTAB,
    flags: 0,
    align: 8,
    data: symbolBytes,
    size: symbolBytes.length,
    link: 1,
    info: 1 + locals,
    entry: SYMBOL_SIZE,
  });
  for (const { name } of headers) strings.offset(name);
  strings.offset(".strtab");
  const text = strings.bytes();
  return layOut(
    [NOTHING, { ...NOTHING, name: ".strtab", type: SHT_STRTAB, align: 1, data: text, size: text.length }, ...headers],
    strings,
  );
}

function encodeRelocations(relocations: readonly NewRelocation[], numbers: ReadonlyMap<NewSymbol, number>): Uint8Array {
  const view = new DataView(new ArrayBuffer(RELOCATION_SIZE * relocations.length));
  relocations.forEach(({ offset, type, symbol }, i) => {
    view.setBigUint64(RELOCATION_SIZE * i, BigInt(offset), true);
    view.setUint32(RELOCATION_SIZE * i + 8, type, true);
    view.setUint32(RELOCATION_SIZE * i + 12, numbers.get(symbol)!, true);
  });
  return new Uint8Array(view.buffer);
}

function layOut(headers: readonly Header[], strings: Strings): Uint8Array {
  const align = (offset: number, to: number) => Math.ceil(offset / Math.max(1, to)) * Math.max(1, to);
  let end = HEADER_SIZE;
  const offsets = headers.map((header) => {
    if (header === NOTHING) return 0;
    const offset = align(end, header.align);
    end = offset + header.data.length;
    return offset;
  });
  const table = align(end, 8);
  const file = new Uint8Array(table + SECTION_HEADER_SIZE * headers.length);
  const view = new DataView(file.buffer);
  // Magic number; 64 bits, little-endian, version 1.
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, ET_REL, true);
  view.setUint16(18, EM_BPF, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(40, BigInt(table), true);
  view.setUint16(52, HEADER_SIZE, true);
  view.setUint16(58, SECTION_HEADER_SIZE, true);
  view.setUint16(60, headers.length, true);
  view.setUint16(62, 1, true);
  headers.forEach((header, i) => {
    const at = table + SECTION_HEADER_SIZE * i;
    if (header.type !== SHT_NOBITS) file.set(header.data, offsets[i]!);
    view.setUint32(at, strings.offset(header.name), true);
    view.setUint32(at + 4, header.type, true);
    view.setBigUint64(at + 8, BigInt(header.flags), true);
    view.setBigUint64(at + 24, BigInt(offsets[i]!), true);
    view.setBigUint64(at + 32, BigInt(header.size), true);
    view.setUint32(at + 40, header.link, true);
    view.setUint32(at + 44, header.info, true);
    view.setBigUint64(at + 48, BigInt(header.align), true);
    view.setBigUint64(at + 56, BigInt(header.entry), true);
  });
  return file;
}

class Strings {
  readonly #offsets = new Map<string, number>([["", 0]]);
  #text = "\0";

  offset(text: string): number {
    let offset = this.#offsets.get(text);
    if (offset === undefined) {
      offset = Buffer.byteLength(this.#text);
      this.#offsets.set(text, offset);
      this.#text += `${text}\0`;
    }
    return offset;
  }

  bytes(): Uint8Array {
    return Buffer.from(this.#text);
  }
}
