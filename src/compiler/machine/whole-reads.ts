/** Where the upper half of a 32-bit value's register matters. */
import { definitionsOf, forEachOperand } from "../ir/analysis.ts";
import type { IrFunction, Value } from "../ir/ir.ts";
import type { InstructionSet } from "../instruction-set.ts";

/** By value id, whether the upper half of an i32's register is read anywhere. */
export function wholeReads(fn: IrFunction, isa: InstructionSet): Uint8Array {
  const whole = new Uint8Array(definitionsOf(fn).length);
  if (isa < 3) return whole.fill(1);
  const read = (value: Value): void => {
    whole[value.id] = 1;
  };
  for (const block of fn.blocks) {
    for (const { operation } of block.instructions) {
      switch (operation.op) {
        case "binary":
        case "negate":
        case "compare":
        case "store":
        case "extend":
        case "truncate":
          break;
        case "byteswap":
          if (operation.bits === 64) read(operation.operand);
          break;
        default:
          forEachOperand(operation, read);
      }
    }
    const { terminator } = block;
    if (terminator.op === "return") read(terminator.value);
    else if (terminator.op === "jump") terminator.target.arguments.forEach(read);
    else {
      terminator.then.arguments.forEach(read);
      terminator.else.arguments.forEach(read);
    }
  }
  return whole;
}
