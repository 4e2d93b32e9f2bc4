/**
 * 64-bit arithmetic on pairs of 32-bit halves, both signed JavaScript numbers, for operations that generated
 * code does not inline. Functions return the low half and leave the high half in `result.high`.
 *
 * Division and modulo follow RFC 9669, section 4.1: x / 0 = 0 and x % 0 = x; the smallest number divided by -1
 * is itself, with remainder 0.
 */

/** The high half of a function's result. */
export const result = { high: 0 };

const TWO_32 = 4294967296;

export function toUnsigned(low: number, high: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

export function toSigned(low: number, high: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low >>> 0);
}

export const lowOf = (value: bigint): number => Number(BigInt.asIntN(32, value));
export const highOf = (value: bigint): number => Number(BigInt.asIntN(32, value >> 32n));

function give(value: bigint): number {
  result.high = highOf(value);
  return lowOf(value);
}

/**
 * The high half of the 64-bit product of two unsigned 32-bit numbers; `low` is its low half. The
 * double-precision product is off by less than 2^11, so after subtracting the exact low half, the quotient is
 * off by less than 2^-20.
 */
export function multiplyHigh(left: number, right: number, low: number): number {
  return (((left >>> 0) * (right >>> 0) - (low >>> 0)) / TWO_32 + 0.5) | 0;
}

export function divide(low: number, high: number, byLow: number, byHigh: number): number {
  if ((byLow | byHigh) === 0) return (result.high = 0);
  if ((high | byHigh) === 0) {
    result.high = 0;
    return ((low >>> 0) / (byLow >>> 0)) | 0;
  }
  return give(toUnsigned(low, high) / toUnsigned(byLow, byHigh));
}

export function modulo(low: number, high: number, byLow: number, byHigh: number): number {
  if ((byLow | byHigh) === 0) {
    result.high = high;
    return low;
  }
  if ((high | byHigh) === 0) {
    result.high = 0;
    return ((low >>> 0) % (byLow >>> 0)) | 0;
  }
  return give(toUnsigned(low, high) % toUnsigned(byLow, byHigh));
}

export function divideSigned(low: number, high: number, byLow: number, byHigh: number): number {
  if ((byLow | byHigh) === 0) return (result.high = 0);
  return give(toSigned(low, high) / toSigned(byLow, byHigh));
}

export function moduloSigned(low: number, high: number, byLow: number, byHigh: number): number {
  if ((byLow | byHigh) === 0) {
    result.high = high;
    return low;
  }
  return give(toSigned(low, high) % toSigned(byLow, byHigh));
}

export function swap32(value: number): number {
  return (value >>> 24) | ((value >>> 8) & 0xff00) | ((value << 8) & 0xff0000) | (value << 24);
}
