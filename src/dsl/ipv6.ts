import type { Value } from "../compiler/index.ts";
import { encodeValue, ipv6 } from "../types/index.ts";
import { Condition } from "./condition.ts";
import { describeValues, shown } from "./described.ts";
import { placeAt, type Emitter, type Place, type Region } from "./emitter.ts";
import { BuildError } from "./errors.ts";
import type { IpAddress } from "./ip-address.ts";
import { operandValue, ScalarValue, type Field, type Scalar } from "./scalar.ts";

/**
 * An IPv6 address. It is the value at the point where it was made and never
 * changes, though it takes two registers.
 */
export interface Ipv6 extends IpAddress {
  readonly kind: "ipv6";
  eq(other: Ipv6 | string): Condition;
  ne(other: Ipv6 | string): Condition;
  /** True for IPv4-mapped addresses, `::ffff:0:0/96` (RFC 4291, section 2.5.5.2). */
  isV4Mapped(): Condition;
  /** The IPv4 address that a mapped one stands for: the last four bytes. */
  v4(): Scalar<"be32">;
  /** The first eight bytes and the last eight. */
  halves(): readonly [Scalar<"be64">, Scalar<"be64">];
}

/** An IPv6 address in memory: its value as it was read when it was named, and the right to write it. */
export interface Ipv6Field extends Ipv6 {
  /** The IPv4 address that a mapped one stands for; `.set()` writes the mapped form of another. */
  v4(): Field<"be32">;
  /** Writes an address; an IPv4 one in its mapped form. */
  set(value: IpAddress | string): void;
}

/** The upper and the lower eight bytes, as a little-endian machine loads them. */
type Halves = readonly [Value, Value];

/** Bytes 8 to 11 of a mapped address, `00 00 ff ff`, as a little-endian machine loads them. */
const MAPPED = 0xffff_0000n;

export class Ipv6Value {
  readonly kind = "ipv6";
  readonly #emitter: Emitter;
  readonly #region: Region;
  readonly #halves: Halves;
  readonly #place: Place;
  readonly #width: 4 | 8;

  /** @param width bytes of each access to `place` */
  constructor(emitter: Emitter, place: Place, width: 4 | 8 = 8) {
    this.#emitter = emitter;
    this.#region = emitter.region;
    this.#place = place;
    this.#width = width;
    this.#halves = [loadHalf(emitter, place, width), loadHalf(emitter, placeAt(place, 8), width)];
  }

  use(): Halves {
    this.#emitter.checkAlive(this.#region, "an IPv6 address");
    return this.#halves;
  }

  eq(other: unknown): Condition {
    this.#emitter.mark(this.eq);
    const [high, low] = this.use();
    const [otherHigh, otherLow] = ipv6Halves(this.#emitter, other);
    const equal = (left: Value, right: Value) => Condition.compare(this.#emitter, "eq", left, right);
    return equal(low, otherLow).and(equal(high, otherHigh));
  }

  ne(other: unknown): Condition {
    this.#emitter.mark(this.ne);
    return this.eq(other).not();
  }

  isV4Mapped(): Condition {
    this.#emitter.mark(this.isV4Mapped);
    const [high, low] = this.use();
    const middle = this.#emitter.emit({ op: "truncate", operand: low }, "i32");
    return Condition.compare(this.#emitter, "eq", middle, this.#emitter.constant("i32", MAPPED)).and(
      Condition.compare(this.#emitter, "eq", high, this.#emitter.constant("i64", 0n)),
    );
  }

  v4(): MappedIpv4 {
    this.#emitter.mark(this.v4);
    const [, low] = this.use();
    const last = this.#emitter.emit(
      { op: "binary", operator: "rsh", left: low, right: this.#emitter.constant("i64", 32n) },
      "i64",
    );
    const address = this.#emitter.emit({ op: "truncate", operand: last }, "i32");
    return new MappedIpv4(this.#emitter, address, this.#place, this.#width);
  }

  halves(): readonly [ScalarValue, ScalarValue] {
    this.#emitter.mark(this.halves);
    const [high, low] = this.use();
    return [new ScalarValue(this.#emitter, "be64", high), new ScalarValue(this.#emitter, "be64", low)];
  }

  set(value: unknown): void {
    this.#emitter.mark(this.set);
    writeIpv6(this.#emitter, this.#place, value, this.#width);
  }
}

describeValues(Ipv6Value.prototype, () => ({ what: "an IPv6 address", remedy: "use its methods, such as .eq(…)" }));

/** The IPv4 address in a mapped one, at the place of the mapped one. */
class MappedIpv4 extends ScalarValue {
  readonly #place: Place;
  readonly #width: 4 | 8;

  constructor(emitter: Emitter, value: Value, place: Place, width: 4 | 8) {
    super(emitter, "be32", value);
    this.#place = place;
    this.#width = width;
  }

  set(value: unknown): void {
    this.emitter.mark(this.set);
    const halves = mappedHalves(this.emitter, operandValue(this.emitter, "be32", value));
    storeHalves(this.emitter, this.#place, halves, this.#width);
  }
}

/** Writes an address, given as a value of either family or as text, to a place. */
export function writeIpv6(emitter: Emitter, place: Place, value: unknown, width: 4 | 8 = 8): void {
  const isIpv4 = value instanceof ScalarValue && value.kind === "be32";
  storeHalves(emitter, place, isIpv4 ? mappedHalves(emitter, value.use()) : ipv6Halves(emitter, value), width);
}

/** The mapped form of an IPv4 address. */
function mappedHalves(emitter: Emitter, address: Value): Halves {
  const wide = emitter.emit({ op: "extend", bits: 32, signed: false, operand: address }, "i64");
  const last = emitter.emit({ op: "binary", operator: "lsh", left: wide, right: emitter.constant("i64", 32n) }, "i64");
  const low = emitter.emit({ op: "binary", operator: "or", left: last, right: emitter.constant("i64", MAPPED) }, "i64");
  return [emitter.constant("i64", 0n), low];
}

function storeHalves(emitter: Emitter, place: Place, [high, low]: Halves, width: 4 | 8): void {
  if (place.space === "stack" && (place.align < 8 || place.offset % 8 !== 0)) {
    throw new BuildError(
      "an IPv6 address on the stack must lie at a multiple of 8 bytes: order the struct's fields so",
      emitter.source,
    );
  }
  for (const [half, at] of [
    [high, place],
    [low, placeAt(place, 8)],
  ] as const) {
    if (width === 8) {
      emitter.store(at, 8, half);
      continue;
    }
    emitter.store(at, 4, emitter.emit({ op: "truncate", operand: half }, "i32"));
    const upper = emitter.emit(
      { op: "binary", operator: "rsh", left: half, right: emitter.constant("i64", 32n) },
      "i64",
    );
    emitter.store(placeAt(at, 4), 4, emitter.emit({ op: "truncate", operand: upper }, "i32"));
  }
}

/** Eight bytes of an address, as a little-endian machine loads them. */
function loadHalf(emitter: Emitter, place: Place, width: 4 | 8): Value {
  if (width === 8) return emitter.load(place, 8, "i64");
  const word = (at: Place) =>
    emitter.emit({ op: "extend", bits: 32, signed: false, operand: emitter.load(at, 4, "i32") }, "i64");
  const [first, second] = [word(place), word(placeAt(place, 4))];
  const upper = emitter.emit(
    { op: "binary", operator: "lsh", left: second, right: emitter.constant("i64", 32n) },
    "i64",
  );
  return emitter.emit({ op: "binary", operator: "or", left: first, right: upper }, "i64");
}

function ipv6Halves(emitter: Emitter, value: unknown): Halves {
  if (value instanceof Ipv6Value) return value.use();
  if (value instanceof ScalarValue)
    throw new BuildError(
      "an IPv6 address and an IPv4 address do not mix: compare addresses of one family",
      emitter.source,
    );
  if (typeof value !== "string") throw new BuildError(`${shown(value)} is no IPv6 address`, emitter.source);
  const view = new DataView(encodeValue(ipv6, value).buffer);
  return [emitter.constant("i64", view.getBigInt64(0, true)), emitter.constant("i64", view.getBigInt64(8, true))];
}
