/**
 * Results of operations on constants: RFC 9669, sections 4.1, 4.2 and 4.3. Numbers are unsigned, of the type's width.
 */
import type { BinaryOperator, Comparison, ValueType } from "./ir.ts";

export const widthOf = (type: ValueType): 32 | 64 => (type === "i32" ? 32 : 64);

/** Division by zero gives 0, remainder by zero the dividend; shift counts are taken modulo the width. */
export function evaluateBinary(operator: BinaryOperator, left: bigint, right: bigint, width: 32 | 64): bigint {
  const signed = (value: bigint): bigint => BigInt.asIntN(width, value);
  const shift = right & BigInt(width - 1);
  const result = (): bigint => {
    switch (operator) {
      case "add":
        return left + right;
      case "sub":
        return left - right;
      case "mul":
        return left * right;
      case "div":
        return right === 0n ? 0n : left / right;
      case "mod":
        return right === 0n ? left : left % right;
      case "sdiv":
        return right === 0n ? 0n : signed(left) / signed(right);
      case "smod":
        return right === 0n ? left : signed(left) % signed(right);
      case "and":
        return left & right;
      case "or":
        return left | right;
      case "xor":
        return left ^ right;
      case "lsh":
        return left << shift;
      case "rsh":
        return left >> shift;
      case "arsh":
        return signed(left) >> shift;
    }
  };
  return BigInt.asUintN(width, result());
}

export function evaluateComparison(comparison: Comparison, left: bigint, right: bigint, width: 32 | 64): boolean {
  const signed = (value: bigint): bigint => BigInt.asIntN(width, value);
  switch (comparison) {
    case "eq":
      return left === right;
    case "ne":
      return left !== right;
    case "lt":
      return left < right;
    case "le":
      return left <= right;
    case "gt":
      return left > right;
    case "ge":
      return left >= right;
    case "slt":
      return signed(left) < signed(right);
    case "sle":
      return signed(left) <= signed(right);
    case "sgt":
      return signed(left) > signed(right);
    case "sge":
      return signed(left) >= signed(right);
    case "set":
      return (left & right) !== 0n;
  }
}

/** Reverses the low `bits`; those above become zero. */
export function evaluateByteswap(value: bigint, bits: 16 | 32 | 64): bigint {
  let result = 0n;
  for (let byte = 0; byte < bits / 8; byte++) result = (result << 8n) | ((value >> BigInt(8 * byte)) & 0xffn);
  return result;
}

export function evaluateExtend(value: bigint, bits: 8 | 16 | 32, signed: boolean, width: 32 | 64): bigint {
  return BigInt.asUintN(width, signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value));
}
