import { SchemaError, type Schema } from "./schema.ts";

/** The kinds of numbers: width, sign and byte order. */
export type ScalarKind = "u8" | "u16" | "u32" | "u64" | "i8" | "i16" | "i32" | "i64" | "be16" | "be32" | "be64";

/** Kinds that do not fit a JavaScript number. */
export type WideKind = "u64" | "i64" | "be64";

/** Kinds in network byte order, which do not mix with the others. */
export type BigEndianKind = "be16" | "be32" | "be64";

/**
 * A number known at build time. `value` is the number itself, whatever its byte
 * order: port 80 is 80 in `u16` and in `be16`.
 */
export interface Constant<K extends ScalarKind = ScalarKind> {
  readonly constant: K;
  readonly value: bigint;
}

/** The schema of a number. */
export interface ScalarSchema<K extends ScalarKind = ScalarKind, T = unknown> extends Schema<T> {
  readonly kind: "scalar";
  readonly scalar: K;
  readonly signed: boolean;
  readonly bigEndian: boolean;
}

/**
 * The schema of a number that is also a function: `be16(80)` is the constant 80
 * of kind `be16`, for a program to compare with or to store.
 */
export interface ScalarType<K extends ScalarKind, T> extends ScalarSchema<K, T> {
  (value: T): Constant<K>;
}

interface ScalarShape {
  readonly size: number;
  readonly signed: boolean;
  readonly bigEndian: boolean;
}

const shape = (size: number, signed: boolean, bigEndian: boolean): ScalarShape => ({ size, signed, bigEndian });

const shapes: Readonly<Record<ScalarKind, ScalarShape>> = {
  u8: shape(1, false, false),
  u16: shape(2, false, false),
  u32: shape(4, false, false),
  u64: shape(8, false, false),
  i8: shape(1, true, false),
  i16: shape(2, true, false),
  i32: shape(4, true, false),
  i64: shape(8, true, false),
  be16: shape(2, false, true),
  be32: shape(4, false, true),
  be64: shape(8, false, true),
};

/** The size in bytes, sign and byte order of a kind. */
export function scalarShape(kind: ScalarKind): ScalarShape {
  return shapes[kind];
}

/** Numbers of 64 bits are bigints; the others are JavaScript numbers, which are far cheaper. */
type NumberOf<K extends ScalarKind> = K extends WideKind ? bigint : number;

/** The form of a scalar in user space. */
interface Presentation<K extends ScalarKind, T> {
  name?: string;
  fromNumber(value: NumberOf<K>): T;
  /** @throws {SchemaError} */
  toNumber(value: T): NumberOf<K>;
}

/**
 * Makes the schema of a number whose values have another form in user space.
 *
 * @example
 * ```ts
 * import { array, scalar } from "tsbpf";
 *
 * const flag = scalar<"u8", boolean>("u8", { fromNumber: (value) => value !== 0, toNumber: Number });
 * const enabled = array("enabled", { value: flag, maxEntries: 1 });
 * ```
 */
export function scalar<K extends ScalarKind, T>(kind: K, presentation: Presentation<NoInfer<K>, T>): ScalarType<K, T> {
  const { size, signed, bigEndian } = scalarShape(kind);
  const bits = BigInt(size * 8);
  const least = signed ? -(1n << (bits - 1n)) : 0n;
  const greatest = (1n << (signed ? bits - 1n : bits)) - 1n;
  const wide = size === 8;
  const min = (wide ? least : Number(least)) as NumberOf<K>;
  const max = (wide ? greatest : Number(greatest)) as NumberOf<K>;
  const read = (wide ? wideReader(signed, bigEndian) : narrowReader(size, signed, bigEndian)) as (
    view: DataView,
    offset: number,
  ) => NumberOf<K>;
  const write = (wide ? wideWriter(bigEndian) : narrowWriter(size, bigEndian)) as (
    view: DataView,
    offset: number,
    value: NumberOf<K>,
  ) => void;

  const toNumber = (value: T): NumberOf<K> => {
    const number = presentation.toNumber(value);
    if (number < min || number > max) {
      throw new SchemaError(`${String(value)} is out of range: ${kind} holds ${min} to ${max}`);
    }
    return number;
  };

  const schema = (value: T): Constant<K> => ({ constant: kind, value: BigInt(toNumber(value)) });
  return Object.freeze(
    Object.assign(schema, {
      kind: "scalar" as const,
      scalar: kind,
      size,
      align: size,
      signed,
      bigEndian,
      read: (view: DataView, offset: number): T => presentation.fromNumber(read(view, offset)),
      write(view: DataView, offset: number, value: T): void {
        write(view, offset, toNumber(value));
      },
      toString: () => presentation.name ?? kind,
    }),
  );
}

function narrowReader(size: number, signed: boolean, bigEndian: boolean): (view: DataView, offset: number) => number {
  switch (size) {
    case 1:
      return signed ? (view, offset) => view.getInt8(offset) : (view, offset) => view.getUint8(offset);
    case 2:
      return signed
        ? (view, offset) => view.getInt16(offset, !bigEndian)
        : (view, offset) => view.getUint16(offset, !bigEndian);
    default:
      return signed
        ? (view, offset) => view.getInt32(offset, !bigEndian)
        : (view, offset) => view.getUint32(offset, !bigEndian);
  }
}

function narrowWriter(size: number, bigEndian: boolean): (view: DataView, offset: number, value: number) => void {
  switch (size) {
    case 1:
      return (view, offset, value) => view.setUint8(offset, value);
    case 2:
      return (view, offset, value) => view.setUint16(offset, value, !bigEndian);
    default:
      return (view, offset, value) => view.setUint32(offset, value, !bigEndian);
  }
}

function wideReader(signed: boolean, bigEndian: boolean): (view: DataView, offset: number) => bigint {
  return signed
    ? (view, offset) => view.getBigInt64(offset, !bigEndian)
    : (view, offset) => view.getBigUint64(offset, !bigEndian);
}

function wideWriter(bigEndian: boolean): (view: DataView, offset: number, value: bigint) => void {
  return (view, offset, value) => view.setBigUint64(offset, value, !bigEndian);
}

const asNumber: Presentation<Exclude<ScalarKind, WideKind>, number> = {
  fromNumber: (value) => value,
  toNumber(value) {
    if (!Number.isInteger(value)) throw new SchemaError(`${String(value)} is not a whole number`);
    return value;
  },
};

const asBigInt: Presentation<WideKind, bigint> = {
  fromNumber: (value) => value,
  toNumber(value) {
    if (typeof value !== "bigint")
      throw new SchemaError(`${String(value)} is not a bigint, which a 64-bit field takes`);
    return value;
  },
};

/** An unsigned number of 8 bits in the machine's byte order; a number in user space. */
export const u8 = scalar("u8", asNumber);
/** An unsigned number of 16 bits in the machine's byte order; a number in user space. */
export const u16 = scalar("u16", asNumber);
/** An unsigned number of 32 bits in the machine's byte order; a number in user space. */
export const u32 = scalar("u32", asNumber);
/** An unsigned number of 64 bits in the machine's byte order; a bigint in user space. */
export const u64 = scalar("u64", asBigInt);
/** A signed number of 8 bits in the machine's byte order; a number in user space. */
export const i8 = scalar("i8", asNumber);
/** A signed number of 16 bits in the machine's byte order; a number in user space. */
export const i16 = scalar("i16", asNumber);
/** A signed number of 32 bits in the machine's byte order; a number in user space. */
export const i32 = scalar("i32", asNumber);
/** A signed number of 64 bits in the machine's byte order; a bigint in user space. */
export const i64 = scalar("i64", asBigInt);
/** Big-endian in memory, as in a packet; an ordinary number in user space. */
export const be16 = scalar("be16", asNumber);
/** Big-endian in memory, as in a packet; an ordinary number in user space. */
export const be32 = scalar("be32", asNumber);
/** Big-endian in memory, as in a packet; a bigint in user space. */
export const be64 = scalar("be64", asBigInt);
