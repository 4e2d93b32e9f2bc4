import { SchemaError, writePart, type Infer, type Schema } from "./schema.ts";

/** The fields of a struct, in the order of their declaration. */
export type Fields = Readonly<Record<string, Schema>>;

/** The TypeScript form of a struct's values. */
export type InferFields<F extends Fields> = { -readonly [N in keyof F]: Infer<F[N]> };

/** A struct with a C compiler's layout: natural alignment, with padding where needed. */
export interface StructSchema<F extends Fields = Fields> extends Schema<InferFields<F>> {
  readonly kind: "struct";
  readonly name: string;
  readonly fields: F;
  readonly layout: readonly FieldLayout[];
}

/** Where a field of a struct is. */
export interface FieldLayout {
  readonly name: string;
  readonly schema: Schema;
  /** Bytes from the start of the struct. */
  readonly offset: number;
}

/**
 * Declares a struct; BTF shows its name. Padding is zero in everything that is
 * written, since the kernel compares map keys byte for byte.
 *
 * @example
 * ```ts
 * import { be16, hash, ipv4, struct, u64 } from "tsbpf";
 *
 * const Peer = struct("peer", { address: ipv4, port: be16 });
 * const bytes = hash("bytes", { key: Peer, value: u64, maxEntries: 1024 });
 * ```
 */
export function struct<const F extends Fields>(name: string, fields: F): StructSchema<F> {
  const layout: FieldLayout[] = [];
  let end = 0;
  let align = 1;
  for (const [field, schema] of Object.entries(fields)) {
    const offset = alignUp(end, schema.align);
    layout.push({ name: field, schema, offset });
    end = offset + schema.size;
    align = Math.max(align, schema.align);
  }
  return composite(name, fields, layout, alignUp(end, align), align);
}

/** A struct with a given layout, which may be packed or have gaps. Offsets and `size` are in bytes. */
export function structWithLayout(name: string, layout: readonly FieldLayout[], size: number): StructSchema {
  for (const field of layout) {
    if (field.offset + field.schema.size > size)
      throw new RangeError(`struct ${name}: ${field.name} ends after the struct's ${size} bytes`);
  }
  const natural = Math.max(1, ...layout.map(({ schema }) => schema.align));
  const packed = size % natural !== 0 || layout.some(({ offset, schema }) => offset % schema.align !== 0);
  return composite(
    name,
    Object.fromEntries(layout.map((field) => [field.name, field.schema])),
    layout,
    size,
    packed ? 1 : natural,
  );
}

function composite<F extends Fields>(
  name: string,
  fields: F,
  layout: readonly FieldLayout[],
  size: number,
  align: number,
): StructSchema<F> {
  return {
    kind: "struct",
    name,
    fields,
    layout,
    size,
    align,
    read(view, offset) {
      const value: Record<string, unknown> = {};
      for (const field of layout) value[field.name] = field.schema.read(view, offset + field.offset);
      return value as InferFields<F>;
    },
    write(view, offset, value) {
      new Uint8Array(view.buffer, view.byteOffset + offset, size).fill(0);
      for (const field of layout) {
        const part = (value as Record<string, unknown>)[field.name];
        if (part === undefined) throw new SchemaError(`missing in the value of struct ${name}`, [field.name]);
        writePart(field.name, () => field.schema.write(view, offset + field.offset, part));
      }
    },
    toString: () => `struct ${name}`,
  };
}

/** Rounds up to a multiple of `align`, a power of two. */
export function alignUp(offset: number, align: number): number {
  return (offset + align - 1) & ~(align - 1);
}
