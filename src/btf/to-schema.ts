/** The other way round from schema.ts: the schema of a BTF type, for maps and variables of programs written in C. */
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
import { resolveType, sizeOf } from "./resolve.ts";
import type { BtfComposite } from "./type.ts";

/** Nothing that a program keeps in a map is larger: the kernel allocates values in one piece. */
const MAX_SIZE = 0x1000_0000;
/** Types that one value may consist of, each counted once. */
const MAX_TYPES = 1000;
/** Above this an array is shown as bytes, rather than as so many elements. */
const MAX_FIELDS = 4096;

const bigEndian: Readonly<Record<string, Schema>> = { __be16: be16, __be32: be32, __be64: be64 };
const unsigned: Readonly<Record<number, Schema>> = { 1: u8, 2: u16, 4: u32, 8: u64 };
const signed: Readonly<Record<number, Schema>> = { 1: i8, 2: i16, 4: i32, 8: i64 };

/**
 * The schema of a type. What a schema cannot say (unions, bit fields, floating
 * point, 128-bit numbers) becomes an array of bytes of the same size in its
 * place; a pointer becomes a `u64`.
 * @throws {BtfError} where the type has no size, or more than 256 MiB.
 */
export function schemaOf(btf: Btf, id: number): Schema {
  const size = sizeOf(btf, id);
  if (size > MAX_SIZE) throw new BtfError(`type ${id} takes ${size} bytes, more than a map's value can`);
  return new Converter(btf).convert(id) ?? bytes(size);
}

/** `size` bytes that nothing more is known about. */
export function bytes(size: number): Schema {
  return arrayOf(u8, size);
}

class Converter {
  readonly #btf: Btf;
  /** What is done, and undefined for what is being done: a struct cannot contain itself. */
  readonly #schemas = new Map<number, Schema | undefined>();

  constructor(btf: Btf) {
    this.#btf = btf;
  }

  /** undefined where there is no schema but bytes. */
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
        // The name of a typedef is all that tells network byte order.
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
    for (const [i, member] of type.members.entries()) {
      if (member.bits !== 0 || member.offset % 8 !== 0) return undefined;
      const offset = member.offset / 8;
      if (offset + sizeOf(this.#btf, member.type) > type.size) {
        throw new BtfError(`member ${member.name} of struct ${type.name} ends behind the struct`);
      }
      layout.push({
        name: member.name === "" ? `anonymous${i}` : member.name,
        schema: this.#part(member.type),
        offset,
      });
    }
    return structWithLayout(type.name, layout, type.size);
  }
}

/** Variables of a section as one struct, which is what the value of the map that holds them is. */
export function sectionSchema(btf: Btf, id: number, name: string, size: number): Schema {
  const section = resolveType(btf, id);
  if (section.kind !== "datasec") throw new BtfError(`type ${id} is a ${section.kind}, not a section of variables`);
  const layout: FieldLayout[] = [];
  for (const variable of section.variables) {
    if (variable.offset + variable.size > size) {
      throw new BtfError(
        `variable ${btf.name(variable.type)} ends at byte ${variable.offset + variable.size} of a section of ${size}`,
      );
    }
    const schema = schemaOf(btf, variable.type);
    layout.push({
      name: btf.name(variable.type),
      schema: schema.size === variable.size ? schema : bytes(variable.size),
      offset: variable.offset,
    });
  }
  return structWithLayout(name, layout, size);
}
