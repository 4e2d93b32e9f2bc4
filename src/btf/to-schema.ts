/** The schema of a BTF type, for maps and variables of programs written in C: the reverse of schema.ts. */
import {
  arrayOf,
  be16,
  be32,
  be64,
  i16,
  i32,
  i64,
  i8,
  structWithLayout,
  u16,
  u32,
  u64,
  u8,
  type FieldLayout,
  type Schema,
} from "../types/index.ts";
import type { Btf } from "./btf.ts";
import { BtfError } from "./format.ts";
import { sizeOf } from "./resolve.ts";
import type { BtfComposite } from "./type.ts";

/** The largest value of a map: the kernel allocates values in one piece. */
const MAX_SIZE = 0x1000_0000;
/** Types within one value, each counted once. */
const MAX_TYPES = 1000;
/** The longest array with elements of its own; a longer one is bytes. */
const MAX_FIELDS = 4096;

const bigEndian: Readonly<Record<string, Schema>> = { __be16: be16, __be32: be32, __be64: be64 };
const unsigned: Readonly<Record<number, Schema>> = { 1: u8, 2: u16, 4: u32, 8: u64 };
const signed: Readonly<Record<number, Schema>> = { 1: i8, 2: i16, 4: i32, 8: i64 };

/**
 * The schema of a type. Unions, bit fields, floating point and 128-bit numbers,
 * which schemas lack, become arrays of bytes of the same size; a pointer becomes
 * a `u64`.
 * @throws {BtfError} if the type has no size, or more than 256 MiB
 *
 * @example
 * ```ts
 * import { kernelBtf, schemaOf } from "tsbpf/btf";
 *
 * const btf = kernelBtf();
 * console.log(schemaOf(btf, btf.find("struct", "list_head")!).size); // 16
 * ```
 */
export function schemaOf(btf: Btf, id: number): Schema {
  const size = sizeOf(btf, id);
  if (size > MAX_SIZE) throw new BtfError(`type ${id} takes ${size} bytes, more than a map's value can`);
  return new Converter(btf).convert(id) ?? bytes(size);
}

/** The schema of `size` opaque bytes. */
export function bytes(size: number): Schema {
  return arrayOf(u8, size);
}

class Converter {
  readonly #btf: Btf;
  /** Finished schemas, and undefined for those in progress: a struct cannot contain itself. */
  readonly #schemas = new Map<number, Schema | undefined>();

  constructor(btf: Btf) {
    this.#btf = btf;
  }

  /** @returns undefined if only bytes can stand for the type */
  convert(id: number): Schema | undefined {
    if (this.#schemas.has(id)) return this.#schemas.get(id);
    if (this.#schemas.size > MAX_TYPES) return undefined;
    this.#schemas.set(id, undefined);
    const schema = this.#make(id);
    this.#schemas.set(id, schema);
    return schema;
  }

  #make(id: number): Schema | undefined {
    const type = this.#btf.type(id);
    switch (type.kind) {
      case "typedef":
        // Only a typedef's name tells network byte order.
        return Object.hasOwn(bigEndian, type.name) ? bigEndian[type.name] : this.convert(type.type);
      case "const":
      case "volatile":
      case "restrict":
      case "type_tag":
      case "var":
        return this.convert(type.type);
      case "int":
        return type.bits === type.size * 8 ? (type.encoding === "signed" ? signed : unsigned)[type.size] : undefined;
      case "enum":
      case "enum64":
        return (type.signed ? signed : unsigned)[type.size];
      case "ptr":
        return u64;
      case "array":
        if (type.length > MAX_FIELDS) return undefined;
        return arrayOf(this.#part(type.element), type.length);
      case "struct":
        return this.#struct(type);
      default:
        return undefined;
    }
  }

  #part(id: number): Schema {
    return this.convert(id) ?? bytes(sizeOf(this.#btf, id));
  }

  #struct(type: BtfComposite): Schema | undefined {
    const layout: FieldLayout[] = [];
    const unique = uniqueNames();
    for (const [i, member] of type.members.entries()) {
      if (member.bits !== 0 || member.offset % 8 !== 0) return undefined;
      const offset = member.offset / 8;
      if (offset + sizeOf(this.#btf, member.type) > type.size) {
        throw new BtfError(`member ${member.name} of struct ${type.name} ends behind the struct`);
      }
      layout.push({
        name: unique(member.name === "" ? `anonymous${i}` : member.name),
        schema: this.#part(member.type),
        offset,
      });
    }
    return structWithLayout(type.name, layout, type.size);
  }
}

/** Gives each name once: a second `count` becomes `count_2`. */
function uniqueNames(): (name: string) => string {
  const taken = new Set<string>();
  return (name) => {
    let free = name;
    for (let i = 2; taken.has(free); i++) free = `${name}_${i}`;
    taken.add(free);
    return free;
  };
}

/** The variables of a section and what the section holds. */
export interface SectionContent {
  readonly variables: readonly { readonly type: number; readonly offset: number; readonly size: number }[];
  /** Bytes. */
  readonly size: number;
  /** The initial bytes; absent where all are zero. */
  readonly data?: Uint8Array;
}

/**
 * The variables of a section as one struct: the value of the map that holds
 * them. A second variable of one name (`static` in two functions or files) is
 * `NAME_2`; bytes that are not zero and belong to no variable are `bytes_OFFSET`,
 * so writing back what was read changes nothing. Where variables overlap, the
 * whole section is an array of bytes.
 * @throws {BtfError} where a variable ends behind the section
 */
export function sectionSchema(btf: Btf, name: string, { variables, size, data }: SectionContent): Schema {
  const sorted = [...variables].sort((a, b) => a.offset - b.offset);
  const layout: FieldLayout[] = [];
  const unique = uniqueNames();
  let end = 0;
  const fillTo = (offset: number) => {
    if (data?.subarray(end, offset).some((byte) => byte !== 0))
      layout.push({ name: unique(`bytes_${end}`), schema: bytes(offset - end), offset: end });
  };
  for (const variable of sorted) {
    if (variable.offset + variable.size > size) {
      throw new BtfError(
        `variable ${btf.name(variable.type)} ends at byte ${variable.offset + variable.size} of a section of ${size}`,
      );
    }
    if (variable.offset < end) return bytes(size);
    fillTo(variable.offset);
    const schema = schemaOf(btf, variable.type);
    layout.push({
      name: unique(btf.name(variable.type)),
      schema: schema.size === variable.size ? schema : bytes(variable.size),
      offset: variable.offset,
    });
    end = variable.offset + variable.size;
  }
  fillTo(size);
  return structWithLayout(name, layout, size);
}
