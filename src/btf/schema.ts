/** Schemas as BTF types, with the names of the kernel's C headers. */
import type { ArraySchema, ScalarKind, ScalarSchema, Schema, StructSchema } from "../types/index.ts";
import type { BtfBuilder } from "./builder.ts";
import type { BtfInt } from "./type.ts";

const integers: Readonly<Record<string, readonly [name: string, size: number, encoding: BtfInt["encoding"]]>> = {
  u8: ["unsigned char", 1, "unsigned"],
  u16: ["unsigned short", 2, "unsigned"],
  u32: ["unsigned int", 4, "unsigned"],
  u64: ["unsigned long long", 8, "unsigned"],
  i8: ["signed char", 1, "signed"],
  i16: ["short", 2, "signed"],
  i32: ["int", 4, "signed"],
  i64: ["long long", 8, "signed"],
};

/** `typedef unsigned int __u32;`, and for a big-endian kind `typedef __u32 __be32;`. */
export function addScalar(builder: BtfBuilder, scalar: ScalarKind): number {
  if (scalar.startsWith("be")) {
    return builder.add({
      kind: "typedef",
      name: `__${scalar}`,
      type: addScalar(builder, `u${scalar.slice(2)}` as ScalarKind),
    });
  }
  const [name, size, encoding] = integers[scalar]!;
  const type = builder.add({ kind: "int", name, size, bits: size * 8, encoding });
  return builder.add({ kind: "typedef", name: `__${scalar.replace("i", "s")}`, type });
}

/**
 * Adds the type of a schema with all its parts, and returns its id.
 */
export function addSchema(builder: BtfBuilder, schema: Schema): number {
  switch (schema.kind) {
    case "void":
      return 0;
    case "scalar":
      return addScalar(builder, (schema as ScalarSchema).scalar);
    case "array": {
      const { element, length } = schema as ArraySchema;
      return addArray(builder, addSchema(builder, element), length);
    }
    case "struct": {
      const { name, layout, size } = schema as StructSchema;
      return builder.add({
        kind: "struct",
        name: identifier(name),
        size,
        members: layout.map((field) => ({
          name: identifier(field.name),
          type: addSchema(builder, field.schema),
          offset: field.offset * 8,
          bits: 0,
        })),
      });
    }
  }
}

export function addArray(builder: BtfBuilder, element: number, length: number): number {
  const index = builder.add({ kind: "int", name: "__ARRAY_SIZE_TYPE__", size: 4, bits: 32, encoding: "unsigned" });
  return builder.add({ kind: "array", element, index, length });
}

/**
 * A name that the kernel accepts: at most 127 letters, digits and underscores,
 * no digit first (`btf_name_valid_identifier` in kernel/bpf/btf.c).
 */
export function identifier(name: string): string {
  return name
    .replace(/[^A-Za-z0-9_]/g, "_")
    .replace(/^(?=\d)/, "_")
    .slice(0, 127);
}
