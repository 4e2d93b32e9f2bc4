import type { AccessSize, Value } from "../compiler/index.ts";
import {
  schemaDifference,
  type ArraySchema,
  type IpAddressSchema,
  type Ipv6Schema,
  type Fields,
  type ScalarKind,
  type ScalarSchema,
  type Schema,
  type StructSchema,
} from "../types/index.ts";
import { Condition } from "./condition.ts";
import { describeValues } from "./described.ts";
import { placeAt, type Emitter, type Place } from "./emitter.ts";
import { BuildError } from "./errors.ts";
import type { IpAddress, IpAddressField } from "./ip-address.ts";
import { Ipv6Value, writeIpv6, type Ipv6Field } from "./ipv6.ts";
import { FieldValue, operandValue, ScalarValue, type Field, type Operand, type Scalar } from "./scalar.ts";

/** The key of a reference's memory: a symbol cannot collide with a field's name. */
const memory = Symbol("memory");

interface Memory {
  readonly emitter: Emitter;
  readonly schema: Schema;
  readonly place: Place;
}

/** A value in memory with a known schema, never null: a map's value, a struct on the stack. */
export type Ref<S extends Schema> =
  S extends ScalarSchema<infer K>
    ? ScalarRef<K>
    : S extends StructSchema<infer F>
      ? StructRef<F>
      : S extends ArraySchema<infer E>
        ? ArrayRef<E>
        : never;

/** Any value in memory, with its schema. */
export interface InMemory<S extends Schema> {
  readonly [memory]: Memory & { readonly schema: S };
}

/** A struct in memory. Naming a scalar field reads it; `.set()` on the field writes it. */
export type StructRef<F extends Fields> = { readonly [N in keyof F]: Part<F[N]> } & InMemory<StructSchema<F>>;

/** An array in memory. */
export interface ArrayRef<E extends Schema> extends InMemory<ArraySchema<E>> {
  readonly length: number;
  /** An element. The verifier must see that an index known only at run time is below `length`. */
  at(index: number | Scalar<"u32">): Part<E>;
}

/** A single number in memory, such as the value of a counter map. */
export interface ScalarRef<K extends ScalarKind> extends InMemory<ScalarSchema<K>> {
  readonly value: Field<K>;
}

type Part<S extends Schema> =
  S extends ScalarSchema<infer K>
    ? Field<K>
    : S extends Ipv6Schema
      ? Ipv6Field
      : S extends IpAddressSchema
        ? IpAddressField
        : Ref<S>;

/** A value to write to memory: every field of a struct, every element of an array, or a reference to copy. */
export type Init<S extends Schema> =
  S extends ScalarSchema<infer K>
    ? Operand<K>
    : S extends IpAddressSchema
      ? IpAddress | string
      : S extends StructSchema<infer F>
        ? { readonly [N in keyof F]: Init<F[N]> } | Ref<S>
        : S extends ArraySchema<infer E>
          ? readonly Init<E>[] | Ref<S>
          : never;

/** The memory behind a reference; undefined for anything else. */
export function memoryOf(value: unknown): Memory | undefined {
  return typeof value === "object" && value !== null && memory in value
    ? (value as InMemory<Schema>)[memory]
    : undefined;
}

/** The typed view of a place. */
export function reference<S extends Schema>(emitter: Emitter, schema: S, place: Place): Ref<S> {
  const own: Memory = { emitter, schema, place };
  switch (schema.kind) {
    case "struct":
      return Object.create(structPrototype(schema as unknown as StructSchema), { [memory]: { value: own } }) as Ref<S>;
    case "array":
      return new ArrayView(own) as unknown as Ref<S>;
    default:
      return new ScalarView(own) as unknown as Ref<S>;
  }
}

const prototypes = new WeakMap<StructSchema, object>();

function structPrototype(schema: StructSchema): object {
  let prototype = prototypes.get(schema);
  if (prototype === undefined) {
    prototype = {};
    describeValues(prototype, () => ({ what: `a ${schema} in memory`, remedy: "name one of its fields" }));
    for (const { name, schema: field, offset } of schema.layout) {
      const get = function (this: InMemory<Schema>): unknown {
        const { emitter, place } = this[memory];
        emitter.mark(get);
        return part(emitter, field, placeAt(place, offset));
      };
      Object.defineProperty(prototype, name, { enumerable: true, get });
    }
    prototypes.set(schema, prototype);
  }
  return prototype;
}

const isIpv6 = (schema: Schema): boolean => "presentation" in schema && schema.presentation === "ipv6";

function part(emitter: Emitter, schema: Schema, place: Place): unknown {
  if (isIpv6(schema)) return new Ipv6Value(emitter, place);
  return schema.kind === "scalar"
    ? new FieldValue(emitter, (schema as ScalarSchema).scalar, place)
    : reference(emitter, schema, place);
}

class ScalarView {
  readonly [memory]: Memory;

  constructor(own: Memory) {
    this[memory] = own;
  }

  get value(): unknown {
    const { emitter, schema, place } = this[memory];
    emitter.mark(valueGetter);
    return part(emitter, schema, place);
  }
}

describeValues(ScalarView.prototype, (view) => ({
  what: `a ${view[memory].schema} in memory`,
  remedy: "write .value",
}));

const valueGetter = Object.getOwnPropertyDescriptor(ScalarView.prototype, "value")!.get!;

class ArrayView {
  readonly [memory]: Memory;

  constructor(own: Memory) {
    this[memory] = own;
  }

  get length(): number {
    return (this[memory].schema as ArraySchema).length;
  }

  at(index: unknown): unknown {
    const { emitter, schema, place } = this[memory];
    const { element, length } = schema as ArraySchema;
    emitter.mark(this.at);
    if (typeof index === "number") {
      if (!Number.isInteger(index) || index < 0 || index >= length)
        throw new BuildError(`index ${index} is outside of ${schema}`, emitter.source);
      return part(emitter, element, placeAt(place, index * element.size));
    }
    const wide = emitter.emit(
      { op: "extend", bits: 32, signed: false, operand: operandValue(emitter, "u32", index) },
      "i64",
    );
    const bytes = emitter.emit(
      { op: "binary", operator: "mul", left: wide, right: emitter.constant("i64", BigInt(element.size)) },
      "i64",
    );
    const address = emitter.emit({ op: "binary", operator: "add", left: place.address, right: bytes }, "ptr");
    return part(emitter, element, {
      ...place,
      address,
      region: emitter.region,
      align: Math.min(place.align, element.align),
    });
  }
}

describeValues(ArrayView.prototype, (view) => ({
  what: `an array in memory, ${view[memory].schema},`,
  remedy: "write .at(index), for an index from 0 to .length - 1",
}));

/** Writes a whole value: every field, and zeroes into padding. */
export function writeInit(emitter: Emitter, schema: Schema, place: Place, init: unknown): void {
  const source = memoryOf(init);
  if (source !== undefined && schema.kind !== "scalar") {
    const difference = schemaDifference(schema, source.schema);
    if (difference !== undefined)
      throw new BuildError(`${schema} cannot be set from ${source.schema}: ${difference}`, emitter.source);
    return copyMemory(emitter, place, source.place, schema.size);
  }
  if (isIpv6(schema)) return writeIpv6(emitter, place, init);
  switch (schema.kind) {
    case "scalar": {
      const { scalar, size } = schema as ScalarSchema;
      return emitter.store(place, size as AccessSize, operandValue(emitter, scalar, init));
    }
    case "struct":
      return writeStruct(emitter, schema as StructSchema, place, init);
    case "array": {
      const { element, length } = schema as ArraySchema;
      if (!Array.isArray(init) || init.length !== length)
        throw new BuildError(`${schema} takes ${length} elements`, emitter.source);
      return init.forEach((value, i) => writeInit(emitter, element, placeAt(place, i * element.size), value));
    }
    case "void":
      return;
  }
}

function writeStruct(emitter: Emitter, schema: StructSchema, place: Place, init: unknown): void {
  if (typeof init !== "object" || init === null || init instanceof ScalarValue) {
    throw new BuildError(`${schema} takes an object of its fields`, emitter.source);
  }
  const values = init as Record<string, unknown>;
  for (const name of Object.keys(values)) {
    if (!(name in schema.fields)) throw new BuildError(`${schema} has no field ${name}`, emitter.source);
  }
  let end = 0;
  for (const { name, schema: field, offset } of schema.layout) {
    if (values[name] === undefined) throw new BuildError(`field ${name} of ${schema} is not set`, emitter.source);
    zero(emitter, placeAt(place, end), offset - end);
    writeInit(emitter, field, placeAt(place, offset), values[name]);
    end = offset + field.size;
  }
  zero(emitter, placeAt(place, end), schema.size - end);
}

/** Writes zeroes over `size` bytes, in the widest aligned stores. */
export function zero(emitter: Emitter, place: Place, size: number): void {
  for (const [offset, width] of accesses(size, place)) {
    emitter.store(placeAt(place, offset), width, emitter.constant(width === 8 ? "i64" : "i32", 0n));
  }
}

function copyMemory(emitter: Emitter, to: Place, from: Place, size: number): void {
  for (const [offset, width] of accesses(size, to, from)) {
    emitter.store(placeAt(to, offset), width, emitter.load(placeAt(from, offset), width, width === 8 ? "i64" : "i32"));
  }
}

/** True where `size` bytes at two places are equal. */
export function equalMemory(emitter: Emitter, left: Place, right: Place, size: number): Condition {
  const equalAt = ([offset, width]: [number, AccessSize]) => {
    const type = width === 8 ? "i64" : "i32";
    return Condition.compare(
      emitter,
      "eq",
      emitter.load(placeAt(left, offset), width, type),
      emitter.load(placeAt(right, offset), width, type),
    );
  };
  const [first, ...rest] = accesses(size, left, right);
  if (first === undefined) throw new BuildError("values without bytes cannot be compared", emitter.source);
  return rest.reduce((sum, next) => sum.and(() => equalAt(next)), equalAt(first));
}

/** Splits `size` bytes into accesses that are aligned at every place: offset and width of each. */
function* accesses(size: number, ...places: readonly Place[]): Generator<[number, AccessSize]> {
  const aligned = (offset: number, width: number) =>
    places.every((place) => width <= place.align && (place.offset + offset) % width === 0);
  for (let offset = 0; offset < size; ) {
    const width = ([8, 4, 2, 1] as const).find(
      (width) => offset + width <= size && (width === 1 || aligned(offset, width)),
    )!;
    yield [offset, width];
    offset += width;
  }
}

/** Space for a value on the stack, not written yet. */
export function stackPlace(emitter: Emitter, schema: Schema): Place {
  // Aligned to 8 where that lets its neighbouring fields be written together.
  const align = schema.size >= 8 ? 8 : schema.align;
  const slot = emitter.ssa.stackSlot(schema.size, align, schema.toString());
  return {
    space: "stack",
    address: emitter.emit({ op: "stack", slot }, "ptr"),
    offset: 0,
    align,
    region: emitter.region,
  };
}

/** The address of a place, as a helper takes it. */
export function addressOf(emitter: Emitter, place: Place): Value {
  emitter.checkAlive(place.region, "this memory");
  if (place.offset === 0) return place.address;
  return emitter.emit(
    { op: "binary", operator: "add", left: place.address, right: emitter.constant("i64", BigInt(place.offset)) },
    "ptr",
  );
}
