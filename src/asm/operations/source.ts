import type { Instruction, SourceLocation } from "../instruction.ts";
import { makeInstruction } from "../make.ts";

/**
 * The same instruction with `source` as its source location.
 *
 * @example
 * ```ts
 * import { at, exit } from "tsbpf/asm";
 *
 * at({ file: "filter.ts", line: 3, column: 1 }, exit());
 * ```
 */
export function at(
  source: SourceLocation,
  { opcode, dst, src, offset, immediate, immediateHigh, reference }: Instruction,
): Instruction {
  return makeInstruction(opcode, dst, src, offset, immediate, immediateHigh, reference, source);
}
