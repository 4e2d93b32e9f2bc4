/** Relations between comparisons. */
import type { Comparison } from "./ir.ts";

/** The comparison with the same result when the operands are exchanged. */
export const swappedComparison: Record<Comparison, Comparison> = {
  eq: "eq",
  ne: "ne",
  set: "set",
  lt: "gt",
  le: "ge",
  gt: "lt",
  ge: "le",
  slt: "sgt",
  sle: "sge",
  sgt: "slt",
  sge: "sle",
};

/** The comparison with the opposite result; `set` has none. */
export const invertedComparison: Record<Exclude<Comparison, "set">, Comparison> = {
  eq: "ne",
  ne: "eq",
  lt: "ge",
  ge: "lt",
  gt: "le",
  le: "gt",
  slt: "sge",
  sge: "slt",
  sgt: "sle",
  sle: "sgt",
};

export const isSignedComparison = (comparison: Comparison): boolean =>
  comparison.startsWith("s") && comparison !== "set";
