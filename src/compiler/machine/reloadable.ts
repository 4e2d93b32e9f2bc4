/**
 * Which fields of the context may be read again instead of kept. The verifier's
 * facts about a register (not null, within bounds) do not carry over to another load
 * of the same field. This excludes pointers, and numbers with bounds that the
 * program may need.
 */
import { forEachOperand } from "../ir/analysis.ts";
import type { Comparison, IrFunction, Value } from "../ir/ir.ts";

/** By value id, 1 for results of loads from the context that may be repeated. */
export function reloadableFields(fn: IrFunction, count: number): Uint8Array {
  const field = new Uint8Array(count);
  /** How the value is used: only compared for equality, in arithmetic, or in ways that need bounds. */
  const compared = new Uint8Array(count);
  const computed = new Uint8Array(count);
  const bounded = new Uint8Array(count);
  const compare = (comparison: Comparison, ...values: readonly Value[]): void => {
    const into = comparison === "eq" || comparison === "ne" ? compared : bounded;
    for (const { id } of values) into[id] = 1;
  };
  const mark =
    (into: Uint8Array) =>
    ({ id }: Value): void => {
      into[id] = 1;
    };
  for (const { instructions, terminator } of fn.blocks) {
    for (const { operation, result } of instructions) {
      switch (operation.op) {
        case "load":
          if (result !== undefined && operation.space === "context" && result.type !== "ptr" && !operation.signed)
            field[result.id] = 1;
          break;
        case "compare":
          compare(operation.comparison, operation.left, operation.right);
          break;
        case "store":
          break;
        case "binary":
          forEachOperand(operation, mark(operation.left.type === "ptr" ? bounded : computed));
          break;
        case "negate":
        case "byteswap":
        case "extend":
        case "truncate":
          mark(computed)(operation.operand);
          break;
        default:
          forEachOperand(operation, mark(bounded));
      }
    }
    if (terminator.op === "branch") {
      compare(terminator.comparison, terminator.left, terminator.right);
      [...terminator.then.arguments, ...terminator.else.arguments].forEach(mark(computed));
    } else if (terminator.op === "jump") {
      terminator.target.arguments.forEach(mark(computed));
    }
  }
  return field.map((is, id) => (is === 1 && bounded[id] === 0 && !(compared[id] === 1 && computed[id] === 1) ? 1 : 0));
}
