import { SchemaError, writePart, type Infer, type Schema } from "./schema.ts";

/** The schema of `length` consecutive elements. */
export interface ArraySchema<E extends Schema = Schema, T = unknown> extends Schema<T> {
  readonly kind: "array";
  readonly element: E;
  readonly length: number;
}

/**
 * Declares an array of a fixed length; in user space it is a TypeScript array.
 *
 * @throws {RangeError} for a length that is not a whole number
 * @example
 * ```ts
 * import { arrayOf, struct, u8 } from "tsbpf";
 *
 * const Mac = struct("mac", { bytes: arrayOf(u8, 6) });
 * ```
 */
export function arrayOf<E extends Schema>(element: E, length: number): ArraySchema<E, readonly Infer<E>[]> {
  if (!Number.isInteger(length) || length < 0) throw new RangeError(`array length ${length}: give a whole number`);
  const size = element.size;
  return {
    kind: "array",
    element,
    length,
    size: size * length,
    align: element.align,
    read: (view, offset) => Array.from({ length }, (_, i) => element.read(view, offset + i * size) as Infer<E>),
    write(view, offset, value) {
      if (value.length !== length) throw new SchemaError(`${value.length} elements, but ${this} takes ${length}`);
      for (let i = 0; i < length; i++) writePart(i, () => element.write(view, offset + i * size, value[i]));
    },
    toString: () => `${element}[${length}]`,
  };
}
