/** Rules for single operations: constant folding, strength reduction, removal of operations without effect. */
import { invertedComparison, swappedComparison } from "../ir/comparison.ts";
import type { BinaryOperator, Comparison, Operation, Value, ValueType } from "../ir/ir.ts";
import { bitLength, type Definitions, type SignificantBits } from "../ir/significant-bits.ts";
import { evaluateBinary, evaluateByteswap, evaluateComparison, evaluateExtend, widthOf } from "../ir/evaluate.ts";

/** Questions that the rules ask, and a way to add instructions. */
export interface SimplifyContext extends Definitions {
  readonly bits: SignificantBits;
  /** A value for a further operation. */
  make(operation: Operation, type: ValueType): Value;
}

/** The operation equals that value. */
export interface Replaced {
  readonly value: Value;
}

export const commutativeOperators: ReadonlySet<BinaryOperator> = new Set(["add", "mul", "and", "or", "xor"]);

export function constantOf(context: Definitions, value: Value): bigint | undefined {
  const operation = context.operation(value);
  return operation?.op === "constant" ? BigInt.asUintN(widthOf(value.type), operation.value) : undefined;
}

const constant = (value: bigint): Operation => ({ op: "constant", value });
const isPowerOfTwo = (value: bigint): boolean => value > 0n && (value & (value - 1n)) === 0n;

/** A better operation with the same result, an equal value, or undefined where the operation stays. */
export function simplify(o: Operation, type: ValueType, context: SimplifyContext): Operation | Replaced | undefined {
  switch (o.op) {
    case "binary":
      return simplifyBinary(o.operator, o.left, o.right, type, context);
    case "negate": {
      const value = constantOf(context, o.operand);
      if (value !== undefined) return constant(BigInt.asUintN(widthOf(type), -value));
      const inner = context.operation(o.operand);
      return inner?.op === "negate" ? { value: inner.operand } : undefined;
    }
    case "byteswap": {
      const value = constantOf(context, o.operand);
      if (value !== undefined) return constant(evaluateByteswap(value, o.bits));
      const inner = context.operation(o.operand);
      if (inner?.op !== "byteswap" || inner.bits !== o.bits) return undefined;
      // Narrowed and widened again: the bits cut off stay off.
      return context.bits.of(inner.operand) <= o.bits
        ? { value: inner.operand }
        : { op: "extend", bits: o.bits as 16 | 32, signed: false, operand: inner.operand };
    }
    case "extend":
      return simplifyExtend(o.bits, o.signed, o.operand, type, context);
    case "truncate": {
      const value = constantOf(context, o.operand);
      if (value !== undefined) return constant(BigInt.asUintN(32, value));
      const inner = context.operation(o.operand);
      if (inner?.op !== "extend") return undefined;
      if (inner.bits === 32)
        return inner.operand.type === "i32" ? { value: inner.operand } : { op: "truncate", operand: inner.operand };
      return inner.operand.type === "i32"
        ? { op: "extend", bits: inner.bits, signed: inner.signed, operand: inner.operand }
        : undefined;
    }
    case "compare": {
      const better = simplifyComparison(o.comparison, o.left, o.right, context);
      if (better === undefined) return undefined;
      if (typeof better === "boolean") return constant(better ? 1n : 0n);
      // As a value, the opposite of `set` would take one more comparison.
      return better.inverted
        ? undefined
        : { op: "compare", comparison: better.comparison, left: better.left, right: better.right };
    }
    default:
      return undefined;
  }
}

function simplifyBinary(
  operator: BinaryOperator,
  left: Value,
  right: Value,
  type: ValueType,
  context: SimplifyContext,
): Operation | Replaced | undefined {
  const width = widthOf(type);
  const b = constantOf(context, right);
  if (left.type === "ptr") return simplifyPointer(operator, left, right, b, context);
  const a = constantOf(context, left);
  if (a !== undefined && b !== undefined) return constant(evaluateBinary(operator, a, b, width));
  const binary = (operator: BinaryOperator, left: Value, right: bigint): Operation => ({
    op: "binary",
    operator,
    left,
    right: context.make(constant(BigInt.asUintN(width, right)), type),
  });
  const ones = BigInt.asUintN(width, -1n);

  if (a !== undefined) {
    if (commutativeOperators.has(operator)) return { op: "binary", operator, left: right, right: left };
    if (a === 0n) {
      if (operator === "sub") return { op: "negate", operand: right };
      return constant(0n);
    }
    return undefined;
  }
  if (left.id === right.id) {
    if (operator === "and" || operator === "or") return { value: left };
    if (operator === "xor" || operator === "sub") return constant(0n);
  }
  if (b === undefined) {
    if (operator === "add" || operator === "sub") {
      const inner = context.operation(right);
      if (inner?.op === "negate")
        return { op: "binary", operator: operator === "add" ? "sub" : "add", left, right: inner.operand };
    }
    return undefined;
  }

  const inner = context.operation(left);
  const innerConstant = inner?.op === "binary" ? constantOf(context, inner.right) : undefined;
  switch (operator) {
    case "sub":
      return b === 0n ? { value: left } : binary("add", left, -b);
    case "add":
      if (b === 0n) return { value: left };
      if (inner?.op === "binary" && inner.operator === "add" && innerConstant !== undefined)
        return binary("add", inner.left, innerConstant + b);
      return undefined;
    case "mul":
      if (b === 0n) return constant(0n);
      if (b === 1n) return { value: left };
      if (b === ones) return { op: "negate", operand: left };
      if (isPowerOfTwo(b)) return binary("lsh", left, BigInt(bitLength(b) - 1));
      if (inner?.op === "binary" && inner.operator === "mul" && innerConstant !== undefined)
        return binary("mul", inner.left, innerConstant * b);
      return undefined;
    case "div":
      if (b === 0n) return constant(0n);
      if (b === 1n) return { value: left };
      if (context.bits.of(left) < bitLength(b)) return constant(0n);
      return isPowerOfTwo(b) ? binary("rsh", left, BigInt(bitLength(b) - 1)) : undefined;
    case "mod":
      if (b === 0n) return { value: left };
      if (b === 1n) return constant(0n);
      if (context.bits.of(left) < bitLength(b)) return { value: left };
      return isPowerOfTwo(b) ? binary("and", left, b - 1n) : undefined;
    case "sdiv":
      if (b === 0n) return constant(0n);
      if (b === 1n) return { value: left };
      return b === ones ? { op: "negate", operand: left } : undefined;
    case "smod":
      if (b === 0n) return { value: left };
      return b === 1n || b === ones ? constant(0n) : undefined;
    case "and": {
      if (b === 0n) return constant(0n);
      const bits = context.bits.of(left);
      const possible = bits === 0 ? 0n : BigInt.asUintN(bits, -1n);
      if ((b & possible) === possible) return { value: left };
      // Drop mask bits over bits that are zero anyway: a smaller mask fits an immediate.
      if ((b & possible) !== b) return binary("and", left, b & possible);
      if (b === 0xffff_ffffn && type === "i64") return { op: "extend", bits: 32, signed: false, operand: left };
      if (inner?.op === "binary" && inner.operator === "and" && innerConstant !== undefined)
        return binary("and", inner.left, innerConstant & b);
      return undefined;
    }
    case "or":
      if (b === 0n) return { value: left };
      if (b === ones) return constant(ones);
      if (inner?.op === "binary" && inner.operator === "or" && innerConstant !== undefined)
        return binary("or", inner.left, innerConstant | b);
      return undefined;
    case "xor":
      if (b === 0n) return { value: left };
      if (inner?.op === "binary" && inner.operator === "xor" && innerConstant !== undefined)
        return binary("xor", inner.left, innerConstant ^ b);
      return undefined;
    case "lsh":
    case "rsh":
    case "arsh":
      return simplifyShift(operator, left, b & BigInt(width - 1), b, type, context);
  }
}

function simplifyShift(
  operator: "lsh" | "rsh" | "arsh",
  left: Value,
  by: bigint,
  given: bigint,
  type: ValueType,
  context: SimplifyContext,
): Operation | Replaced | undefined {
  const width = widthOf(type);
  const count = (value: bigint): Value => context.make(constant(value), type);
  if (by === 0n) return { value: left };
  if (operator === "rsh" && context.bits.of(left) <= Number(by)) return constant(0n);
  if (operator === "arsh" && context.bits.of(left) < width)
    return { op: "binary", operator: "rsh", left, right: count(by) };
  if (given !== by) return { op: "binary", operator, left, right: count(by) };
  const inner = context.operation(left);
  if (inner?.op !== "binary") return undefined;
  const innerBy = constantOf(context, inner.right);
  if (innerBy === undefined) return undefined;
  const sum = by + innerBy;
  if (inner.operator === operator && (operator !== "lsh" || sum < BigInt(width))) {
    if (sum < BigInt(width)) return { op: "binary", operator, left: inner.left, right: count(sum) };
    if (operator === "rsh") return constant(0n);
  }
  if (operator === "rsh" && inner.operator === "lsh" && innerBy === by) {
    return {
      op: "binary",
      operator: "and",
      left: inner.left,
      right: context.make(constant(BigInt.asUintN(width - Number(by), -1n)), type),
    };
  }
  return undefined;
}

function simplifyPointer(
  operator: BinaryOperator,
  left: Value,
  right: Value,
  by: bigint | undefined,
  context: SimplifyContext,
): Operation | Replaced | undefined {
  if (by === undefined || right.type !== "i64") return undefined;
  if (by === 0n) return { value: left };
  if (operator === "sub")
    return { op: "binary", operator: "add", left, right: context.make(constant(BigInt.asUintN(64, -by)), "i64") };
  const inner = context.operation(left);
  if (inner?.op === "map-value") {
    const offset = inner.offset + Number(BigInt.asIntN(64, by));
    // The kernel refuses an address outside the value.
    if (offset >= 0 && offset < inner.map.value.size) return { op: "map-value", map: inner.map, offset };
  }
  if (inner?.op !== "binary" || inner.operator !== "add" || inner.left.type !== "ptr") return undefined;
  const innerBy = constantOf(context, inner.right);
  return innerBy === undefined
    ? undefined
    : {
        op: "binary",
        operator: "add",
        left: inner.left,
        right: context.make(constant(BigInt.asUintN(64, innerBy + by)), "i64"),
      };
}

function simplifyExtend(
  bits: 8 | 16 | 32,
  signed: boolean,
  operand: Value,
  type: ValueType,
  context: SimplifyContext,
): Operation | Replaced | undefined {
  const value = constantOf(context, operand);
  if (value !== undefined) return constant(evaluateExtend(value, bits, signed, widthOf(type)));
  const operandBits = context.bits.of(operand);
  if (signed) {
    if (operandBits < bits) return { op: "extend", bits: 32, signed: false, operand };
    return operand.type === type && widthOf(type) === bits ? { value: operand } : undefined;
  }
  if (bits < 32) {
    // A mask combines with other masks.
    if (operand.type === type)
      return {
        op: "binary",
        operator: "and",
        left: operand,
        right: context.make(constant(bits === 8 ? 0xffn : 0xffffn), type),
      };
    return {
      op: "extend",
      bits: 32,
      signed: false,
      operand: context.make({ op: "extend", bits, signed, operand }, operand.type),
    };
  }
  if (operand.type === type && operandBits <= 32) return { value: operand };
  if (operand.type === "i64" && type === "i32") return { op: "truncate", operand };
  const inner = context.operation(operand);
  if (inner?.op === "truncate") return { op: "extend", bits: 32, signed: false, operand: inner.operand };
  return undefined;
}

export interface Condition {
  readonly comparison: Comparison;
  readonly left: Value;
  readonly right: Value;
  /** The condition holds where the comparison is false. */
  readonly inverted: boolean;
}

/** The answer where known, a simpler condition, or undefined where it stays. */
export function simplifyComparison(
  comparison: Comparison,
  left: Value,
  right: Value,
  context: SimplifyContext,
): boolean | Condition | undefined {
  const width = widthOf(left.type);
  const a = constantOf(context, left);
  const b = constantOf(context, right);
  if (a !== undefined && b !== undefined) return evaluateComparison(comparison, a, b, width);
  if (a !== undefined) return { comparison: swappedComparison[comparison], left: right, right: left, inverted: false };
  if (left.id === right.id && comparison !== "set")
    return comparison === "eq" || (comparison.endsWith("e") && comparison !== "ne");
  const make = (value: bigint): Value => context.make(constant(BigInt.asUintN(width, value)), left.type);
  const equality = comparison === "eq" || comparison === "ne";
  const inner = context.operation(left);
  if (b === undefined) {
    const other = context.operation(right);
    if (
      equality &&
      inner?.op === "byteswap" &&
      other?.op === "byteswap" &&
      inner.bits === other.bits &&
      context.bits.of(inner.operand) <= inner.bits &&
      context.bits.of(other.operand) <= inner.bits
    ) {
      return { comparison, left: inner.operand, right: other.operand, inverted: false };
    }
    if (
      inner?.op === "extend" &&
      other?.op === "extend" &&
      !inner.signed &&
      !other.signed &&
      inner.bits === 32 &&
      other.bits === 32 &&
      inner.operand.type === "i32" &&
      other.operand.type === "i32" &&
      isUnsigned(comparison)
    ) {
      return { comparison, left: inner.operand, right: other.operand, inverted: false };
    }
    return undefined;
  }

  // Bounds that the left side cannot reach.
  const bits = context.bits.of(left);
  const signedDiffers = bits >= width;
  if (bits < bitLength(b)) {
    switch (comparison) {
      case "eq":
      case "gt":
      case "ge":
        return false;
      case "ne":
      case "lt":
      case "le":
        return true;
      case "set":
        if ((b & BigInt.asUintN(bits, -1n)) === 0n) return false;
        break;
      case "sgt":
      case "sge":
        return BigInt.asIntN(width, b) < 0n;
      case "slt":
      case "sle":
        return BigInt.asIntN(width, b) >= 0n;
    }
  }
  // Otherwise it stays: the verifier learns a lower bound from `x >= 1`; older ones learn nothing from `x != 0`.
  const asEquality = inner?.op === "compare" || (inner?.op === "binary" && inner.operator === "and");
  switch (comparison) {
    case "lt":
      if (b === 0n) return false;
      if (b === 1n && asEquality) return { comparison: "eq", left, right: make(0n), inverted: false };
      break;
    case "ge":
      if (b === 0n) return true;
      if (b === 1n && asEquality) return { comparison: "ne", left, right: make(0n), inverted: false };
      break;
    case "gt":
      if (b === 0n && asEquality) return { comparison: "ne", left, right, inverted: false };
      break;
    case "le":
      if (b === 0n && asEquality) return { comparison: "eq", left, right, inverted: false };
      break;
    case "slt":
    case "sge":
    case "sgt":
    case "sle":
      // Neither number is negative.
      if (!signedDiffers && BigInt.asIntN(width, b) >= 0n)
        return { comparison: comparison.slice(1) as Comparison, left, right, inverted: false };
      break;
    case "set":
      if (b === 0n) return false;
      break;
    default: // no constant decides `eq` or `ne` alone
  }
  if (inner === undefined) return undefined;
  if (inner.op === "compare" && bits === 1) {
    // A truth value compared with 0 or 1.
    if (equality && b <= 1n) {
      const inverted = (comparison === "eq") === (b === 0n);
      if (!inverted) return { comparison: inner.comparison, left: inner.left, right: inner.right, inverted: false };
      if (inner.comparison !== "set")
        return {
          comparison: invertedComparison[inner.comparison],
          left: inner.left,
          right: inner.right,
          inverted: false,
        };
      return { comparison: "set", left: inner.left, right: inner.right, inverted: true };
    }
    return undefined;
  }
  if (!equality) {
    if (
      inner.op === "extend" &&
      !inner.signed &&
      inner.bits === 32 &&
      inner.operand.type === "i32" &&
      isUnsigned(comparison) &&
      b <= 0xffff_ffffn
    ) {
      return { comparison, left: inner.operand, right: context.make(constant(b), "i32"), inverted: false };
    }
    return undefined;
  }
  switch (inner.op) {
    case "byteswap":
      if (context.bits.of(inner.operand) > inner.bits) return undefined;
      return { comparison, left: inner.operand, right: make(evaluateByteswap(b, inner.bits)), inverted: false };
    case "extend":
      if (inner.signed || inner.bits !== 32 || inner.operand.type !== "i32") return undefined;
      return { comparison, left: inner.operand, right: context.make(constant(b), "i32"), inverted: false };
    case "binary": {
      const by = constantOf(context, inner.right);
      if (inner.left.type === "ptr") return undefined;
      if (b === 0n && (inner.operator === "xor" || inner.operator === "sub"))
        return { comparison, left: inner.left, right: inner.right, inverted: false };
      if (b === 0n && inner.operator === "and")
        return { comparison: "set", left: inner.left, right: inner.right, inverted: comparison === "eq" };
      if (by === undefined) return undefined;
      if (inner.operator === "add") return { comparison, left: inner.left, right: make(b - by), inverted: false };
      if (inner.operator === "xor") return { comparison, left: inner.left, right: make(b ^ by), inverted: false };
      return undefined;
    }
    default:
      return undefined;
  }
}

const isUnsigned = (comparison: Comparison): boolean => !comparison.startsWith("s") || comparison === "set";
