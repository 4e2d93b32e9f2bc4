import {
  BTF_HEADER_SIZE,
  BTF_MAGIC,
  BTF_TYPE_SIZE,
  BTF_VERSION,
  BtfError,
  BtfKind,
  btfKindNames,
  btfKindSizes,
  BtfLinkage,
  type BtfKindName,
} from "./format.ts";
import { NameIndex } from "./name-index.ts";
import type { BtfType } from "./type.ts";

/** Decoded types kept for reuse. */
const MAX_RECENT = 256;

/**
 * The types in a BTF blob. The constructor notes only where each type begins (4
 * bytes a type); a type is decoded on demand, and names are indexed at the first
 * lookup: the kernel's BTF has more than a hundred thousand types, and a program
 * needs a few.
 *
 * Whatever the bytes, every method returns a result or throws a `BtfError`.
 *
 * @example
 * ```ts
 * import { kernelBtf } from "tsbpf/btf";
 *
 * const btf = kernelBtf();
 * const id = btf.find("struct", "sock");
 * if (id !== undefined) console.log(btf.type(id));
 * ```
 */
export class Btf {
  /** The number of types, `void` (id 0) included: every id is below it. */
  readonly typeCount: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** By type id: where its `struct btf_type` begins. Element 0 is unused. */
  readonly #offsets: Uint32Array;
  readonly #stringsStart: number;
  readonly #stringsEnd: number;
  #names: NameIndex | undefined;
  /** Relocation asks for the same few large structs repeatedly. */
  readonly #recent = new Map<number, BtfType>();

  /**
   * Takes a little-endian blob, such as `/sys/kernel/btf/vmlinux` or an object
   * file's `.BTF` section. It keeps the blob: do not change it afterwards.
   * @throws {BtfError} where a header, type or string lies outside the blob or is of an unknown kind
   */
  constructor(blob: Uint8Array) {
    this.#bytes = blob;
    this.#view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
    const { typesStart, typesEnd, stringsStart, stringsEnd } = readHeader(this.#view);
    this.#stringsStart = stringsStart;
    this.#stringsEnd = stringsEnd;
    if (stringsEnd > stringsStart && (blob[stringsStart] !== 0 || blob[stringsEnd - 1] !== 0)) {
      throw new BtfError("the string section of the BTF does not begin and end with a zero byte");
    }
    this.#offsets = indexTypes(this.#view, typesStart, typesEnd);
    this.typeCount = this.#offsets.length;
  }

  /** The kind of a type. @throws {BtfError} if no type has this id */
  kind(id: number): BtfKindName {
    return id === 0 ? "void" : btfKindNames[this.#kindNumber(this.#offset(id))]!;
  }

  /** The name of a type; "" if it has none. @throws {BtfError} if no type has this id */
  name(id: number): string {
    return id === 0 ? "" : this.string(this.#view.getUint32(this.#offset(id), true));
  }

  /** The text at an offset of the string section. @throws {BtfError} if the offset lies outside the section */
  string(offset: number): string {
    const start = this.#stringsStart + offset;
    if (offset === 0) return "";
    if (start >= this.#stringsEnd)
      throw new BtfError(
        `string offset ${offset} lies outside the BTF's string section of ` +
          `${this.#stringsEnd - this.#stringsStart} bytes`,
      );
    const end = this.#bytes.indexOf(0, start);
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, end - start).toString();
  }

  /** The ids of all types with this name, rising. */
  named(name: string): number[] {
    this.#names ??= this.#indexNames();
    return this.#names.find(name);
  }

  /**
   * The ids of all types with this name, whatever the flavour of either
   * (`task_struct___old` and `task_struct` are flavours of one name), rising.
   */
  flavoursOf(name: string): number[] {
    this.#names ??= this.#indexNames();
    return this.#names.findFlavours(name);
  }

  /** The id of the first type of this kind and name. */
  find(kind: BtfKindName, name: string): number | undefined {
    return this.named(name).find((id) => this.kind(id) === kind);
  }

  /** The type of an id, decoded. @throws {BtfError} if no type has this id */
  type(id: number): BtfType {
    if (id === 0) return { kind: "void" };
    let type = this.#recent.get(id);
    if (type === undefined) {
      type = this.#decode(this.#offset(id));
      if (this.#recent.size === MAX_RECENT) this.#recent.clear();
      this.#recent.set(id, type);
    }
    return type;
  }

  #decode(at: number): BtfType {
    const info = this.#view.getUint32(at + 4, true);
    const word = this.#view.getUint32(at + 8, true);
    const kind = btfKindNames[(info >>> 24) & 0x1f]!;
    const vlen = info & 0xffff;
    const flag = info >>> 31 === 1;
    const name = this.string(this.#view.getUint32(at, true));
    const extra = at + BTF_TYPE_SIZE;
    const u32 = (index: number) => this.#view.getUint32(extra + 4 * index, true);
    const elements = <T>(decode: (index: number) => T): T[] => Array.from({ length: vlen }, (_, i) => decode(i));
    switch (kind) {
      case "void":
        return { kind };
      case "int": {
        const encoding = (u32(0) >>> 24) & 0xf;
        return {
          kind,
          name,
          size: word,
          bits: u32(0) & 0xff,
          encoding: encoding & 4 ? "bool" : encoding & 2 ? "char" : encoding & 1 ? "signed" : "unsigned",
        };
      }
      case "ptr":
      case "volatile":
      case "const":
      case "restrict":
        return { kind, type: word };
      case "array":
        return { kind, element: u32(0), index: u32(1), length: u32(2) };
      case "struct":
      case "union":
        return {
          kind,
          name,
          size: word,
          members: elements((i) => {
            const offset = u32(3 * i + 2);
            return {
              name: this.string(u32(3 * i)),
              type: u32(3 * i + 1),
              offset: flag ? offset & 0xff_ffff : offset,
              bits: flag ? offset >>> 24 : 0,
            };
          }),
        };
      case "enum":
        return {
          kind,
          name,
          size: word,
          signed: flag,
          values: elements((i) => ({
            name: this.string(u32(2 * i)),
            value: flag ? BigInt(u32(2 * i + 1) | 0) : BigInt(u32(2 * i + 1)),
          })),
        };
      case "enum64":
        return {
          kind,
          name,
          size: word,
          signed: flag,
          values: elements((i) => {
            const value = (BigInt(u32(3 * i + 2)) << 32n) | BigInt(u32(3 * i + 1));
            return { name: this.string(u32(3 * i)), value: flag ? BigInt.asIntN(64, value) : value };
          }),
        };
      case "fwd":
        return { kind, name, union: flag };
      case "typedef":
      case "type_tag":
        return { kind, name, type: word };
      case "func":
        return { kind, name, type: word, linkage: linkage(vlen) };
      case "func_proto":
        return {
          kind,
          returns: word,
          parameters: elements((i) => ({ name: this.string(u32(2 * i)), type: u32(2 * i + 1) })),
        };
      case "var":
        return { kind, name, type: word, linkage: linkage(u32(0)) };
      case "datasec":
        return {
          kind,
          name,
          size: word,
          variables: elements((i) => ({ type: u32(3 * i), offset: u32(3 * i + 1), size: u32(3 * i + 2) })),
        };
      case "float":
        return { kind, name, size: word };
      case "decl_tag":
        return { kind, name, type: word, component: u32(0) | 0 };
    }
  }

  #offset(id: number): number {
    const offset = id === 0 ? undefined : this.#offsets[id];
    if (offset === undefined)
      throw new BtfError(`type ${id} does not exist: the BTF has types 0 to ${this.typeCount - 1}`);
    return offset;
  }

  #kindNumber(offset: number): number {
    return (this.#view.getUint32(offset + 4, true) >>> 24) & 0x1f;
  }

  #indexNames(): NameIndex {
    const names = new Uint32Array(this.typeCount);
    const size = this.#stringsEnd - this.#stringsStart;
    for (let id = 1; id < this.typeCount; id++) {
      const offset = this.#view.getUint32(this.#offsets[id]!, true);
      // `type` reports a name outside the section.
      if (offset < size) names[id] = offset;
    }
    return new NameIndex(this.#bytes.subarray(this.#stringsStart, this.#stringsEnd), names);
  }
}

function linkage(number: number): BtfLinkage {
  for (const [name, value] of Object.entries(BtfLinkage)) if (value === number) return name as BtfLinkage;
  throw new BtfError(`unknown linkage ${number} of a function or variable`);
}

function readHeader(view: DataView): {
  typesStart: number;
  typesEnd: number;
  stringsStart: number;
  stringsEnd: number;
} {
  const total = view.byteLength;
  if (total < BTF_HEADER_SIZE)
    throw new BtfError(`BTF of ${total} bytes is too short: its header takes ${BTF_HEADER_SIZE}`);
  const magic = view.getUint16(0, true);
  if (magic === 0x9feb) throw new BtfError("the BTF is big-endian; only little-endian machines are supported");
  if (magic !== BTF_MAGIC)
    throw new BtfError(`not BTF: it begins with 0x${magic.toString(16)}, not 0x${BTF_MAGIC.toString(16)}`);
  if (view.getUint8(2) !== BTF_VERSION)
    throw new BtfError(`BTF version ${view.getUint8(2)} is not supported, only version ${BTF_VERSION}`);
  const header = view.getUint32(4, true);
  const section = (name: string, at: number) => {
    const start = header + view.getUint32(at, true);
    const end = start + view.getUint32(at + 4, true);
    if (header < BTF_HEADER_SIZE || end > total)
      throw new BtfError(`the ${name} section of the BTF ends at byte ${end}, but there are ${total}`);
    return { start, end };
  };
  const types = section("type", 8);
  const strings = section("string", 16);
  return { typesStart: types.start, typesEnd: types.end, stringsStart: strings.start, stringsEnd: strings.end };
}

/** Walks the types once. Each one's kind and element count give its length. */
function indexTypes(view: DataView, start: number, end: number): Uint32Array {
  const offsets = new Uint32Array(1 + Math.floor((end - start) / BTF_TYPE_SIZE));
  let count = 1;
  let at = start;
  while (at < end) {
    if (at + BTF_TYPE_SIZE > end) throw new BtfError(`type ${count} is cut off at the end of the type section`);
    const info = view.getUint32(at + 4, true);
    const kind = (info >>> 24) & 0x1f;
    const size = btfKindSizes[kind];
    if (size === undefined || kind === BtfKind.void)
      throw new BtfError(`type ${count} has the unknown kind ${kind}: nothing after it can be read`);
    offsets[count++] = at;
    // A function's vlen is its linkage; others' is their number of elements.
    at += BTF_TYPE_SIZE + size.fixed + size.each * (info & 0xffff);
    if (at > end) throw new BtfError(`type ${count - 1} is cut off at the end of the type section`);
  }
  return offsets.slice(0, count);
}
