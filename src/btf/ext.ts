/**
 * The `.BTF.ext` section: the function and source line of each instruction, and
 * the relocations against another BTF (CO-RE), by program section
 * (Documentation/bpf/btf.rst; `struct btf_ext_header` in libbpf).
 */
import type { Btf } from "./btf.ts";
import { BTF_MAGIC, BtfError } from "./format.ts";

export interface FunctionRecord {
  /** Bytes from the start of the section. */
  readonly offset: number;
  /** The id of a `func`. */
  readonly type: number;
}

export interface LineRecord {
  /** Bytes from the start of the section. */
  readonly offset: number;
  /** Offsets in the BTF's string section of the file's name and the line's text. */
  readonly file: number;
  readonly text: number;
  /** From 1; 0 if unknown. */
  readonly line: number;
  readonly column: number;
}

export interface CoreRecord {
  /** Bytes from the start of the section. */
  readonly offset: number;
  /** The id of the accessed type in the object's own BTF. */
  readonly type: number;
  /** The path into it: `0:1:2` (`bpf_core_relo` in `linux/bpf.h`). */
  readonly access: string;
  /** `enum bpf_core_relo_kind`. */
  readonly kind: number;
}

/** The records of a `.BTF.ext` by program section, each list in file order. */
export interface BtfExt {
  readonly functions: ReadonlyMap<string, readonly FunctionRecord[]>;
  readonly lines: ReadonlyMap<string, readonly LineRecord[]>;
  readonly core: ReadonlyMap<string, readonly CoreRecord[]>;
}

/** Bytes of the header without and with the fields for CO-RE records. */
const SHORT_HEADER = 24;
const HEADER = 32;

/**
 * Parses the bytes of a `.BTF.ext` section, with the BTF that holds its names.
 * @throws {BtfError} if it is malformed
 */
export function parseBtfExt(bytes: Uint8Array, btf: Btf): BtfExt {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < SHORT_HEADER)
    throw new BtfError(`.BTF.ext of ${bytes.length} bytes is too short: its header takes ${SHORT_HEADER}`);
  if (view.getUint16(0, true) !== BTF_MAGIC)
    throw new BtfError("not a little-endian .BTF.ext: it begins with other bytes than 9f eb");
  if (view.getUint8(2) !== 1)
    throw new BtfError(`.BTF.ext version ${view.getUint8(2)} is not supported, only version 1`);
  const header = view.getUint32(4, true);
  if (header < SHORT_HEADER || header > bytes.length)
    throw new BtfError(`.BTF.ext has a header of ${header} bytes in a section of ${bytes.length}`);
  const part = <T>(at: number, least: number, read: (at: number) => T): Map<string, T[]> => {
    if (at + 8 > header) return new Map();
    const start = header + view.getUint32(at, true);
    const end = start + view.getUint32(at + 4, true);
    if (end > bytes.length) throw new BtfError(`a part of .BTF.ext ends at byte ${end} of ${bytes.length}`);
    return readRecords(view, start, end, btf, least, read);
  };
  const u32 = (at: number) => view.getUint32(at, true);
  return {
    functions: part(8, 8, (at) => ({ offset: u32(at), type: u32(at + 4) })),
    lines: part(16, 16, (at) => ({
      offset: u32(at),
      file: u32(at + 4),
      text: u32(at + 8),
      line: u32(at + 12) >>> 10,
      column: u32(at + 12) & 0x3ff,
    })),
    core: part(24, 16, (at) => ({
      offset: u32(at),
      type: u32(at + 4),
      access: btf.string(u32(at + 8)),
      kind: u32(at + 12),
    })),
  };
}

function readRecords<T>(
  view: DataView,
  start: number,
  end: number,
  btf: Btf,
  least: number,
  read: (at: number) => T,
): Map<string, T[]> {
  const sections = new Map<string, T[]>();
  if (start === end) return sections;
  if (end - start < 4) throw new BtfError("a part of .BTF.ext is cut off before its record size");
  const size = view.getUint32(start, true);
  if (size < least || size % 4 !== 0)
    throw new BtfError(`records of ${size} bytes in .BTF.ext: at least ${least}, and a multiple of 4, are expected`);
  let at = start + 4;
  while (at < end) {
    if (at + 8 > end) throw new BtfError("a part of .BTF.ext is cut off within the header of a section");
    const name = btf.string(view.getUint32(at, true));
    const count = view.getUint32(at + 4, true);
    at += 8;
    if (count * size > end - at)
      throw new BtfError(
        `.BTF.ext has ${count} records of ${size} bytes for section ${name}, but only ${end - at} bytes are left`,
      );
    const records = sections.get(name) ?? [];
    for (let i = 0; i < count; i++, at += size) records.push(read(at));
    sections.set(name, records);
  }
  return sections;
}

/** The records of one program section for `encodeBtfExt`, each a list of 32-bit words. */
export interface ExtSection {
  /** Offset of the section's name in the BTF's string section. */
  readonly name: number;
  readonly records: readonly (readonly number[])[];
}

/** The bytes of a `.BTF.ext` with func_info, line_info and CO-RE records; offsets of instructions are in bytes. */
export function encodeBtfExt(
  functions: readonly ExtSection[],
  lines: readonly ExtSection[],
  core: readonly ExtSection[] = [],
): Uint8Array {
  const encode = (size: number, sections: readonly ExtSection[]): number[] => {
    const filled = sections.filter(({ records }) => records.length > 0);
    return filled.length === 0
      ? []
      : [size, ...filled.flatMap(({ name, records }) => [name, records.length, ...records.flat()])];
  };
  const parts = [encode(8, functions), encode(16, lines), encode(16, core)];
  const body = parts.flat();
  const view = new DataView(new ArrayBuffer(HEADER + 4 * body.length));
  view.setUint16(0, BTF_MAGIC, true);
  view.setUint8(2, 1);
  view.setUint32(4, HEADER, true);
  let end = 0;
  parts.forEach((part, i) => {
    view.setUint32(8 + 8 * i, end, true);
    view.setUint32(12 + 8 * i, 4 * part.length, true);
    end += 4 * part.length;
  });
  body.forEach((word, i) => view.setUint32(HEADER + 4 * i, word, true));
  return new Uint8Array(view.buffer);
}
