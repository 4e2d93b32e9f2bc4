import type { BinaryOperator, Comparison, Value } from "../compiler/index.ts";
import {
  ipv4,
  scalarShape,
  type BigEndianKind,
  type Constant,
  type Mistake,
  type ScalarKind,
  type ScalarSchema,
  type WideKind,
} from "../types/index.ts";
import { Condition } from "./condition.ts";
import { adviceFor, describeValues, shown } from "./described.ts";
import { valueType, type Emitter, type Place, type Region } from "./emitter.ts";
import { BuildError } from "./errors.ts";
import type { Fits } from "./mistakes.ts";

/** Kinds in the machine's byte order: those with arithmetic. */
export type HostKind = Exclude<ScalarKind, BigEndianKind>;

type BigEndianOf = { u16: "be16"; u32: "be32"; u64: "be64" };
type HostOf = { be16: "u16"; be32: "u32"; be64: "u64" };

/** An operand for a scalar of kind `K`. A plain number has no byte order, so big-endian kinds take `be16(80)`. */
export type Operand<K extends ScalarKind> = Scalar<K> | Constant<K> | Literal<K>;

type Literal<K extends ScalarKind> = K extends BigEndianKind ? never : K extends WideKind ? number | bigint : number;

interface Comparable<K extends ScalarKind> {
  /** The kind of the number. */
  readonly kind: K;
  eq<O>(other: O & Fits<K, O>): Condition;
  ne<O>(other: O & Fits<K, O>): Condition;
  /** Bitwise and. */
  and<O>(other: O & Fits<K, O>): Scalar<K>;
  /** Bitwise or. */
  or<O>(other: O & Fits<K, O>): Scalar<K>;
  /** Bitwise exclusive or. */
  xor<O>(other: O & Fits<K, O>): Scalar<K>;
  /** True where both have a set bit in common. */
  hasBits<O>(other: O & Fits<K, O>): Condition;
}

/**
 * A number in the machine's byte order; it never changes. Arithmetic wraps at
 * the kind's width; comparisons, division and right shifts follow its sign.
 */
export interface HostScalar<K extends HostKind> extends Comparable<K> {
  lt<O>(other: O & Fits<K, O>): Condition;
  le<O>(other: O & Fits<K, O>): Condition;
  gt<O>(other: O & Fits<K, O>): Condition;
  ge<O>(other: O & Fits<K, O>): Condition;
  add<O>(other: O & Fits<K, O>): Scalar<K>;
  sub<O>(other: O & Fits<K, O>): Scalar<K>;
  mul<O>(other: O & Fits<K, O>): Scalar<K>;
  /** Division, towards zero. By zero it gives 0 (RFC 9669, section 4.1). */
  div<O>(other: O & Fits<K, O>): Scalar<K>;
  /** Remainder, with the dividend's sign. By zero it gives the dividend (RFC 9669, section 4.1). */
  mod<O>(other: O & Fits<K, O>): Scalar<K>;
  /** Left shift; the amount counts modulo the kind's width, at least 32. */
  shl<O>(bits: O & Fits<K, O>): Scalar<K>;
  /** Right shift, which keeps the sign of signed kinds. */
  shr<O>(bits: O & Fits<K, O>): Scalar<K>;
  /** Every bit reversed. */
  not(): Scalar<K>;
  negate(): Scalar<K>;
  /** Converts to another kind: extends by its own sign, or keeps the low bits. */
  to<J extends HostKind>(schema: ScalarSchema<J>): Scalar<J>;
  /** The same number in network byte order. */
  toBig(): K extends keyof BigEndianOf ? Scalar<BigEndianOf[K]> : never;
}

/** A number in network byte order. It has equality and bitwise operations; for arithmetic use `.toHost()`. */
export interface BigEndianScalar<K extends BigEndianKind> extends Comparable<K> {
  /** The same number in the machine's byte order. */
  toHost(): Scalar<HostOf[K]>;
  readonly lt: Mistake<`${K} is in network byte order: write .toHost().lt(…)`>;
  readonly le: Mistake<`${K} is in network byte order: write .toHost().le(…)`>;
  readonly gt: Mistake<`${K} is in network byte order: write .toHost().gt(…)`>;
  readonly ge: Mistake<`${K} is in network byte order: write .toHost().ge(…)`>;
  readonly add: Mistake<`${K} is in network byte order: write .toHost().add(…)`>;
  readonly sub: Mistake<`${K} is in network byte order: write .toHost().sub(…)`>;
  readonly mul: Mistake<`${K} is in network byte order: write .toHost().mul(…)`>;
  readonly div: Mistake<`${K} is in network byte order: write .toHost().div(…)`>;
  readonly mod: Mistake<`${K} is in network byte order: write .toHost().mod(…)`>;
  readonly shl: Mistake<`${K} is in network byte order: write .toHost().shl(…)`>;
  readonly shr: Mistake<`${K} is in network byte order: write .toHost().shr(…)`>;
  readonly negate: Mistake<`${K} is in network byte order: write .toHost().negate(…)`>;
  readonly to: Mistake<`${K} is in network byte order: write .toHost().to(…)`>;
}

/** A number of a kind, as a program sees it: `HostScalar` or `BigEndianScalar`. */
export type Scalar<K extends ScalarKind> = K extends HostKind
  ? HostScalar<K>
  : K extends BigEndianKind
    ? BigEndianScalar<K>
    : never;

/** A number in memory: its value as it was read when it was named, and the right to write it. */
export type Field<K extends ScalarKind> = Scalar<K> & {
  set<O>(value: O & Fits<K, O>): void;
} & (K extends "u32" | "i32" | "u64" | "i64"
    ? {
        /** Adds in one step that no other CPU can tear. */
        atomicAdd<O>(value: O & Fits<K, O>): void;
        /** Adds in one step and gives the value from before. Linux 5.12 or newer, like the methods below. */
        atomicFetchAdd<O>(value: O & Fits<K, O>): Scalar<K>;
        /** Writes in one step and gives the value from before. */
        atomicExchange<O>(value: O & Fits<K, O>): Scalar<K>;
        /**
         * Writes `value` if the field equals `expected`, in one step, and gives the
         * value from before: it equals `expected` exactly if the write took place.
         */
        atomicCompareExchange<E, O>(expected: E & Fits<K, E>, value: O & Fits<K, O>): Scalar<K>;
      }
    : unknown);

/** Operations that give the same in either byte order. */
const anyOrder: ReadonlySet<BinaryOperator | Comparison> = new Set(["eq", "ne", "set", "and", "or", "xor"]);

/** The one class behind every kind of scalar; the interfaces above say which methods a kind has. */
export class ScalarValue {
  readonly kind: ScalarKind;
  readonly emitter: Emitter;
  readonly region: Region;
  readonly #value: Value;

  constructor(emitter: Emitter, kind: ScalarKind, value: Value) {
    this.emitter = emitter;
    this.kind = kind;
    this.region = emitter.region;
    this.#value = value;
  }

  /** The SSA value, for use now. */
  use(): Value {
    this.emitter.checkAlive(this.region, `a value of kind ${this.kind}`);
    return this.#value;
  }

  #operand(other: unknown): Value {
    return operandValue(this.emitter, this.kind, other);
  }

  #compare(unsigned: Comparison, signed: Comparison, other: unknown, method: Function): Condition {
    this.emitter.mark(method);
    if (!anyOrder.has(unsigned)) this.#checkHostOrder(method);
    return Condition.compare(
      this.emitter,
      scalarShape(this.kind).signed ? signed : unsigned,
      this.use(),
      this.#operand(other),
    );
  }

  #binary(operator: BinaryOperator, other: unknown, method: Function): ScalarValue {
    this.emitter.mark(method);
    if (!anyOrder.has(operator)) this.#checkHostOrder(method);
    const left = this.use();
    const value = this.emitter.emit(
      { op: "binary", operator, left, right: this.#operand(other) },
      valueType(this.kind),
    );
    return this.#wrapped(value);
  }

  /** @throws {BuildError} for network byte order, in which order and arithmetic mean something else */
  #checkHostOrder(method: Function): void {
    if (!scalarShape(this.kind).bigEndian) return;
    throw new BuildError(
      `${this.kind} is in network byte order, which .${method.name}() takes for another number: ` +
        `write .toHost().${method.name}(…)`,
      this.emitter.source,
    );
  }

  /** A narrow kind's result, brought back into its range. */
  #wrapped(value: Value): ScalarValue {
    return new ScalarValue(this.emitter, this.kind, narrowed(this.emitter, this.kind, value));
  }

  eq(other: unknown): Condition {
    return this.#compare("eq", "eq", other, this.eq);
  }
  ne(other: unknown): Condition {
    return this.#compare("ne", "ne", other, this.ne);
  }
  lt(other: unknown): Condition {
    return this.#compare("lt", "slt", other, this.lt);
  }
  le(other: unknown): Condition {
    return this.#compare("le", "sle", other, this.le);
  }
  gt(other: unknown): Condition {
    return this.#compare("gt", "sgt", other, this.gt);
  }
  ge(other: unknown): Condition {
    return this.#compare("ge", "sge", other, this.ge);
  }
  hasBits(other: unknown): Condition {
    return this.#compare("set", "set", other, this.hasBits);
  }
  add(other: unknown): ScalarValue {
    return this.#binary("add", other, this.add);
  }
  sub(other: unknown): ScalarValue {
    return this.#binary("sub", other, this.sub);
  }
  mul(other: unknown): ScalarValue {
    return this.#binary("mul", other, this.mul);
  }
  div(other: unknown): ScalarValue {
    return this.#binary(scalarShape(this.kind).signed ? "sdiv" : "div", other, this.div);
  }
  mod(other: unknown): ScalarValue {
    return this.#binary(scalarShape(this.kind).signed ? "smod" : "mod", other, this.mod);
  }
  and(other: unknown): ScalarValue {
    return this.#binary("and", other, this.and);
  }
  or(other: unknown): ScalarValue {
    return this.#binary("or", other, this.or);
  }
  xor(other: unknown): ScalarValue {
    return this.#binary("xor", other, this.xor);
  }
  shl(bits: unknown): ScalarValue {
    return this.#binary("lsh", bits, this.shl);
  }
  shr(bits: unknown): ScalarValue {
    return this.#binary(scalarShape(this.kind).signed ? "arsh" : "rsh", bits, this.shr);
  }
  not(): ScalarValue {
    return this.#binary("xor", { constant: this.kind, value: -1n }, this.not);
  }
  negate(): ScalarValue {
    this.emitter.mark(this.negate);
    this.#checkHostOrder(this.negate);
    return this.#wrapped(this.emitter.emit({ op: "negate", operand: this.use() }, valueType(this.kind)));
  }

  to(schema: ScalarSchema): ScalarValue {
    this.emitter.mark(this.to);
    this.#checkHostOrder(this.to);
    if (typeof schema?.scalar !== "string" || scalarShape(schema.scalar).bigEndian)
      throw new BuildError(
        "a number converts by .to(…) to a kind in the machine's byte order, such as u32; " +
          "for network byte order, write .toBig()",
        this.emitter.source,
      );
    return new ScalarValue(this.emitter, schema.scalar, converted(this.emitter, this.kind, schema.scalar, this.use()));
  }

  toHost(): ScalarValue {
    return this.#swapped("u", this.toHost);
  }
  toBig(): ScalarValue {
    return this.#swapped("be", this.toBig);
  }

  #swapped(prefix: "u" | "be", method: Function): ScalarValue {
    this.emitter.mark(method);
    const { bigEndian, size } = scalarShape(this.kind);
    if (bigEndian === (prefix === "be") || size === 1)
      throw new BuildError(`${this.kind} needs no .${method.name}()`, this.emitter.source);
    const bits = (size * 8) as 16 | 32 | 64;
    const value = this.emitter.emit({ op: "byteswap", bits, operand: this.use() }, valueType(this.kind));
    return new ScalarValue(this.emitter, `${prefix}${bits}` as ScalarKind, value);
  }
}

describeValues(ScalarValue.prototype, ({ kind }) => ({
  what: `a number of kind ${kind}`,
  remedy: scalarShape(kind).bigEndian
    ? "use its methods, such as .eq(…), and .toHost() for arithmetic"
    : "use its methods, such as .eq(…), .lt(…) and .add(…)",
}));

/** A scalar that was read from memory, and can be written there. */
export class FieldValue extends ScalarValue {
  readonly #place: Place;
  readonly #size: 1 | 2 | 4 | 8;

  constructor(emitter: Emitter, kind: ScalarKind, place: Place, size = scalarShape(kind).size as 1 | 2 | 4 | 8) {
    super(emitter, kind, emitter.load(place, size, valueType(kind), scalarShape(kind).signed));
    this.#place = place;
    this.#size = size;
  }

  set(value: unknown): void {
    this.emitter.mark(this.set);
    this.emitter.store(this.#place, this.#size, operandValue(this.emitter, this.kind, value));
  }

  atomicAdd(value: unknown): void {
    this.emitter.mark(this.atomicAdd);
    this.emitter.emitVoid({
      op: "atomic",
      operator: "add",
      fetch: false,
      value: this.#operand(value),
      ...this.#target(),
    });
  }

  atomicFetchAdd(value: unknown): ScalarValue {
    return this.#fetch("add", value, this.atomicFetchAdd);
  }

  atomicExchange(value: unknown): ScalarValue {
    return this.#fetch("exchange", value, this.atomicExchange);
  }

  atomicCompareExchange(expected: unknown, value: unknown): ScalarValue {
    this.emitter.mark(this.atomicCompareExchange);
    const operation = {
      op: "compare-exchange",
      expected: this.#operand(expected),
      value: this.#operand(value),
      ...this.#target(),
    } as const;
    return new ScalarValue(this.emitter, this.kind, this.emitter.emit(operation, valueType(this.kind)));
  }

  #fetch(operator: "add" | "exchange", value: unknown, method: Function): ScalarValue {
    this.emitter.mark(method);
    const operation = { op: "atomic", operator, fetch: true, value: this.#operand(value), ...this.#target() } as const;
    return new ScalarValue(this.emitter, this.kind, this.emitter.emit(operation, valueType(this.kind)));
  }

  #operand(value: unknown): Value {
    return operandValue(this.emitter, this.kind, value);
  }

  /** The memory that an atomic operation works on. */
  #target() {
    this.emitter.checkAlive(this.#place.region, "this memory");
    const { space, address, offset } = this.#place;
    return { size: this.#size as 4 | 8, space, address, offset };
  }
}

/** The SSA value of an operand beside a scalar of kind `kind`. */
export function operandValue(emitter: Emitter, kind: ScalarKind, operand: unknown): Value {
  if (operand instanceof ScalarValue) {
    if (operand.kind !== kind) throw new BuildError(`${kind} and ${operand.kind} do not mix`, emitter.source);
    return operand.use();
  }
  if (
    kind === "be32" &&
    operand !== null &&
    typeof operand === "object" &&
    "kind" in operand &&
    operand.kind === "ipv6"
  )
    throw new BuildError(
      "an IPv4 address and an IPv6 address do not mix: compare addresses of one family",
      emitter.source,
    );
  // Text stands for an `IpAddress` that this build has as an IPv4 one.
  const constant = kind === "be32" && typeof operand === "string" ? ipv4(operand) : operand;
  return emitter.constant(valueType(kind), rawConstant(emitter, kind, constant));
}

/** A literal or `Constant` as the bits that a register holds for it. */
function rawConstant(emitter: Emitter, kind: ScalarKind, operand: unknown): bigint {
  const { size, signed, bigEndian } = scalarShape(kind);
  let value: bigint;
  if (typeof operand === "bigint" || (typeof operand === "number" && Number.isInteger(operand))) {
    if (bigEndian) throw new BuildError(`a plain number has no byte order: write ${kind}(${operand})`, emitter.source);
    value = BigInt(operand);
  } else if (typeof operand === "object" && operand !== null && "constant" in operand && operand.constant === kind) {
    value = (operand as Constant).value;
  } else {
    throw new BuildError(`${shown(operand)} is no number of kind ${kind}${adviceFor(operand)}`, emitter.source);
  }
  const bits = size * 8;
  const unsigned = BigInt.asUintN(bits, value);
  const kept = signed ? BigInt.asIntN(bits, value) : unsigned;
  // All ones, as -1, is how people write a full mask.
  if (kept !== value && value !== -1n) throw new BuildError(`${value} is out of range of ${kind}`, emitter.source);
  return bigEndian ? swapBytes(unsigned, size) : kept;
}

function swapBytes(value: bigint, size: number): bigint {
  let swapped = 0n;
  for (let i = 0; i < size; i++) swapped = (swapped << 8n) | ((value >> BigInt(8 * i)) & 255n);
  return swapped;
}

/** Wraps a 32-bit result to the range of a narrow kind. */
function narrowed(emitter: Emitter, kind: ScalarKind, value: Value): Value {
  const { size, signed } = scalarShape(kind);
  if (size >= 4) return value;
  return emitter.emit({ op: "extend", bits: (size * 8) as 8 | 16, signed, operand: value }, "i32");
}

function converted(emitter: Emitter, from: ScalarKind, to: ScalarKind, value: Value): Value {
  const source = scalarShape(from);
  const target = scalarShape(to);
  if (target.size === 8) {
    if (source.size === 8) return value;
    return emitter.emit({ op: "extend", bits: 32, signed: source.signed, operand: value }, "i64");
  }
  const low = source.size === 8 ? emitter.emit({ op: "truncate", operand: value }, "i32") : value;
  // A wider kind of the same sign, or any wider kind of an unsigned one, holds the number as it is.
  const fits = source.size < target.size && (!source.signed || target.signed);
  return fits || (source.size === target.size && source.signed === target.signed) ? low : narrowed(emitter, to, low);
}
