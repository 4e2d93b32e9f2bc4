import { SchemaError, writePart, type Infer, type Schema } from "./schema.ts";

/** The schema of `length` elements behind one another. */
export interface ArraySchema<E extends Schema = Schema, T = unknown> extends Schema<T> {
  readonly kind: "array";
  readonly element: E;
  readonly length: number;
}

/** `length` elements of one schema, a TypeScript array in user space. */
export function arrayOf<E extends Schema>(element: E, length: number): ArraySchema<E, readonly Infer<E>[]> {
  if (!Number.isInteger(length) || length < 0)
    throw new RangeError(`an array's length is a whole number, not ${length}`);
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
