import {
  BTF_HEADER_SIZE,
  BTF_MAGIC,
  BTF_TYPE_SIZE,
  BTF_VERSION,
  BtfError,
  BtfKind,
  btfKindSizes,
  BtfLinkage,
} from "./format.ts";
import { reduceType, type BtfFeatures } from "./features.ts";
import type { BtfType } from "./type.ts";

/** The kernel's limit for string offsets, 24 bits (`BTF_MAX_NAME_OFFSET`). */
const MAX_STRINGS = 0xff_ffff;

/**
 * Collects types and encodes them as one blob. Equal types share one id, and
 * equal texts one string.
 *
 * @example
 * ```ts
 * import { BtfBuilder } from "tsbpf/btf";
 *
 * const builder = new BtfBuilder();
 * const int = builder.add({ kind: "int", name: "int", size: 4, bits: 32, encoding: "signed" });
 * builder.add({ kind: "struct", name: "pair", size: 8, members: [
 *   { name: "a", type: int, offset: 0, bits: 0 },
 *   { name: "b", type: int, offset: 32, bits: 0 },
 * ] });
 * console.log(builder.encode().length);
 * ```
 */
export class BtfBuilder {
  readonly #types: BtfType[] = [{ kind: "void" }];
  readonly #ids = new Map<string, number>();
  readonly #strings = new StringTable();

  /**
   * Adds a type, unless an equal one exists, and returns its id.
   * @throws {BtfError} if it refers to an id not added yet
   */
  add(type: BtfType): number {
    if (type.kind === "void") return 0;
    for (const id of referenced(type)) {
      if (id >= this.#types.length)
        throw new BtfError(`${type.kind} refers to type ${id}, but the last one so far is ${this.#types.length - 1}`);
    }
    const key = JSON.stringify(type, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value));
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = this.#types.push(type) - 1;
      this.#ids.set(key, id);
    }
    return id;
  }

  /** The type with an id returned by `add`. */
  get(id: number): BtfType {
    return this.#types[id]!;
  }

  /** The offset of a text in the string section, for line_info. */
  string(text: string): number {
    return this.#strings.offset(text);
  }

  /** The blob, little-endian; with `features`, reduced to what a kernel with only these accepts. */
  encode(features?: BtfFeatures): Uint8Array {
    const strings = this.#strings;
    const types = this.#types
      .slice(1)
      .map((type) => encodeType(features === undefined ? type : reduceType(type, features), strings));
    const typeLength = types.reduce((sum, part) => sum + part.length, 0);
    const text = strings.bytes();
    const blob = new Uint8Array(BTF_HEADER_SIZE + typeLength + text.length);
    const view = new DataView(blob.buffer);
    view.setUint16(0, BTF_MAGIC, true);
    view.setUint8(2, BTF_VERSION);
    view.setUint32(4, BTF_HEADER_SIZE, true);
    view.setUint32(8, 0, true);
    view.setUint32(12, typeLength, true);
    view.setUint32(16, typeLength, true);
    view.setUint32(20, text.length, true);
    let at = BTF_HEADER_SIZE;
    for (const part of types) {
      blob.set(part, at);
      at += part.length;
    }
    blob.set(text, at);
    return blob;
  }
}

class StringTable {
  readonly #offsets = new Map<string, number>([["", 0]]);
  readonly #parts: Uint8Array[] = [new Uint8Array(1)];
  #end = 1;

  offset(text: string): number {
    let offset = this.#offsets.get(text);
    if (offset === undefined) {
      // A zero byte would cut the string short.
      const bytes = Buffer.from(`${text.replaceAll("\0", " ")}\0`);
      offset = this.#end;
      this.#end += bytes.length;
      if (this.#end > MAX_STRINGS)
        throw new BtfError(`names and source lines take more than ${MAX_STRINGS} bytes, the limit of BTF`);
      this.#parts.push(bytes);
      this.#offsets.set(text, offset);
    }
    return offset;
  }

  bytes(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}

function referenced(type: BtfType): readonly number[] {
  switch (type.kind) {
    case "array":
      return [type.element, type.index];
    case "struct":
    case "union":
      return type.members.map((member) => member.type);
    case "func_proto":
      return [type.returns, ...type.parameters.map((parameter) => parameter.type)];
    case "datasec":
      return type.variables.map((variable) => variable.type);
    default:
      return "type" in type ? [type.type] : [];
  }
}

const intEncoding = { unsigned: 0, signed: 1, char: 2, bool: 4 } as const;

function encodeType(type: BtfType, strings: StringTable): Uint8Array {
  const kind = BtfKind[type.kind];
  const { fixed, each } = btfKindSizes[kind]!;
  const elements =
    "members" in type
      ? type.members
      : "values" in type
        ? type.values
        : "parameters" in type
          ? type.parameters
          : "variables" in type
            ? type.variables
            : [];
  const linkage = type.kind === "func" ? BtfLinkage[type.linkage] : 0;
  const flag =
    "members" in type
      ? type.members.some((member) => member.bits !== 0)
      : "values" in type
        ? type.signed
        : type.kind === "fwd" && type.union;
  const vlen = elements.length + linkage;
  if (vlen > 0xffff) throw new BtfError(`a ${type.kind} of ${vlen} elements: BTF takes at most 65535`);
  const bytes = new Uint8Array(BTF_TYPE_SIZE + fixed + each * elements.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, "name" in type ? strings.offset(type.name) : 0, true);
  view.setUint32(4, ((flag ? 0x8000_0000 : 0) | (kind << 24) | vlen) >>> 0, true);
  view.setUint32(
    8,
    "size" in type ? type.size : "type" in type ? type.type : type.kind === "func_proto" ? type.returns : 0,
    true,
  );
  const word = (index: number, value: number) => view.setInt32(BTF_TYPE_SIZE + 4 * index, value | 0, true);
  switch (type.kind) {
    case "int":
      word(0, (intEncoding[type.encoding] << 24) | type.bits);
      break;
    case "array":
      word(0, type.element);
      word(1, type.index);
      word(2, type.length);
      break;
    case "struct":
    case "union":
      type.members.forEach((member, i) => {
        word(3 * i, strings.offset(member.name));
        word(3 * i + 1, member.type);
        word(3 * i + 2, flag ? (member.bits << 24) | member.offset : member.offset);
      });
      break;
    case "enum":
      type.values.forEach(({ name, value }, i) => {
        word(2 * i, strings.offset(name));
        word(2 * i + 1, Number(BigInt.asIntN(32, value)));
      });
      break;
    case "enum64":
      type.values.forEach(({ name, value }, i) => {
        word(3 * i, strings.offset(name));
        word(3 * i + 1, Number(BigInt.asIntN(32, value)));
        word(3 * i + 2, Number(BigInt.asIntN(32, value >> 32n)));
      });
      break;
    case "func_proto":
      type.parameters.forEach((parameter, i) => {
        word(2 * i, strings.offset(parameter.name));
        word(2 * i + 1, parameter.type);
      });
      break;
    case "var":
      word(0, BtfLinkage[type.linkage]);
      break;
    case "datasec":
      type.variables.forEach((variable, i) => {
        word(3 * i, variable.type);
        word(3 * i + 1, variable.offset);
        word(3 * i + 2, variable.size);
      });
      break;
    case "decl_tag":
      word(0, type.component);
      break;
    default: // the other kinds have no data after the common part
  }
  return bytes;
}
