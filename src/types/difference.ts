import type { ArraySchema } from "./array.ts";
import type { MapDefinition } from "./map.ts";
import type { ScalarSchema } from "./scalar.ts";
import type { Schema } from "./schema.ts";
import type { StructSchema } from "./struct.ts";

/**
 * The first difference between two schemas; undefined where they describe the
 * same bytes: the same kinds of numbers, in fields of the same names, at the same
 * offsets. A struct's own name and the form of values in user space do not count.
 *
 * @example
 * ```ts
 * import { schemaDifference, struct, u16, u32 } from "tsbpf";
 *
 * const one = struct("one", { port: u16 });
 * const other = struct("other", { port: u32 });
 * schemaDifference(one, other); // "port is u16 in one and u32 in the other"
 * ```
 */
export function schemaDifference(left: Schema, right: Schema): string | undefined {
  return difference(left, right, "");
}

function difference(left: Schema, right: Schema, path: string): string | undefined {
  if (left === right) return undefined;
  const what = path === "" ? "the whole" : path;
  const differ = (one: unknown, other: unknown) => `${what} is ${String(one)} in one and ${String(other)} in the other`;
  if (left.kind !== right.kind) return differ(left, right);
  switch (left.kind) {
    case "void":
      return undefined;
    case "scalar":
      return (left as ScalarSchema).scalar === (right as ScalarSchema).scalar
        ? undefined
        : differ((left as ScalarSchema).scalar, (right as ScalarSchema).scalar);
    case "array": {
      const [one, other] = [left as ArraySchema, right as ArraySchema];
      if (one.length !== other.length) return differ(`${one.length} elements`, `${other.length} elements`);
      return difference(one.element, other.element, `${path}[]`);
    }
    case "struct":
      return structDifference(left as StructSchema, right as StructSchema, path);
  }
}

function structDifference(left: StructSchema, right: StructSchema, path: string): string | undefined {
  const at = (name: string) => (path === "" ? name : `${path}.${name}`);
  for (const [i, field] of left.layout.entries()) {
    const other = right.layout[i];
    if (other === undefined) return `field ${at(field.name)} is in one only`;
    if (field.name !== other.name)
      return `field ${i + 1} is ${at(field.name)} in one and ${at(other.name)} in the other`;
    if (field.offset !== other.offset)
      return `${at(field.name)} is at byte ${field.offset} in one and at byte ${other.offset} in the other`;
    const found = difference(field.schema, other.schema, at(field.name));
    if (found !== undefined) return found;
  }
  const extra = right.layout[left.layout.length];
  if (extra !== undefined) return `field ${at(extra.name)} is in the other only`;
  return left.size === right.size
    ? undefined
    : `${path === "" ? "the whole" : path} takes ${left.size} bytes in one and ${right.size} in the other`;
}

/** The first difference between two declarations of a map; undefined where either can stand for the other. */
export function mapDifference(left: MapDefinition, right: MapDefinition): string | undefined {
  if (left === right) return undefined;
  for (const fact of ["type", "maxEntries", "flags"] as const) {
    if (left[fact] !== right[fact]) return `its ${fact} is ${left[fact]} in one and ${right[fact]} in the other`;
  }
  for (const part of ["key", "value"] as const) {
    const found = schemaDifference(left[part], right[part]);
    if (found !== undefined) return `of its ${part}, ${found}`;
  }
  if ((left.frozen ?? false) !== (right.frozen ?? false)) return "only one is frozen";
  const bytes = ({ initialValue, value }: MapDefinition) => initialValue ?? new Uint8Array(value.size);
  const [one, other] = [bytes(left), bytes(right)];
  return one.every((byte, i) => byte === other[i]) ? undefined : "they begin with different values";
}
