/** How comparisons relate to one another. */
import type { Comparison } from "./ir.ts";

/** The comparison that says the same with its operands exchanged. */
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

/** The comparison that is true where the given one is false; `set` has none. */
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
