/** Replaces signed division and remainder by unsigned ones, for instruction sets before 4, which lack them. */
import { valueCount } from "../ir/analysis.ts";
import type { BinaryOperator, IrFunction, IrInstruction, Value } from "../ir/ir.ts";
import type { Pass } from "./pass.ts";

export const signedDivision: Pass = { name: "signed division", run: expandSignedDivision };

export function expandSignedDivision(fn: IrFunction): IrFunction {
  const concerned = fn.blocks.some(({ instructions }) =>
    instructions.some(({ operation }) => isSignedDivision(operation)),
  );
  if (!concerned) return fn;
  let nextId = valueCount(fn);
  const expand = (instruction: IrInstruction): readonly IrInstruction[] => {
    const { operation, result, source } = instruction;
    if (operation.op !== "binary" || !isSignedDivision(operation) || result === undefined) return [instruction];
    const { type } = result;
    const out: IrInstruction[] = [];
    const push = (value: Value, made: IrInstruction["operation"]): Value => {
      out.push({ result: value, operation: made, ...(source !== undefined && { source }) });
      return value;
    };
    const fresh = (): Value => ({ id: nextId++, type });
    const binary = (operator: BinaryOperator, left: Value, right: Value, into = fresh()): Value =>
      push(into, { op: "binary", operator, left, right });
    const width = push(fresh(), { op: "constant", value: type === "i32" ? 31n : 63n });
    /**
     * All ones for a negative number, else zero. With it, `(x ^ s) - s` gives the magnitude, and gives a magnitude its
     * sign back.
     */
    const sign = (value: Value): Value => binary("arsh", value, width);
    const signed = (value: Value, s: Value, into?: Value): Value => binary("sub", binary("xor", value, s), s, into);
    const leftSign = sign(operation.left);
    const rightSign = sign(operation.right);
    const left = signed(operation.left, leftSign);
    const right = signed(operation.right, rightSign);
    if (operation.operator === "sdiv") signed(binary("div", left, right), binary("xor", leftSign, rightSign), result);
    else signed(binary("mod", left, right), leftSign, result);
    return out;
  };
  return { ...fn, blocks: fn.blocks.map((block) => ({ ...block, instructions: block.instructions.flatMap(expand) })) };
}

function isSignedDivision(operation: IrInstruction["operation"]): boolean {
  return operation.op === "binary" && (operation.operator === "sdiv" || operation.operator === "smod");
}
