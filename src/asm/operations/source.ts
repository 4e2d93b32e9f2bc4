import type { Instruction, SourceLocation } from "../instruction.ts";
import { makeInstruction } from "../make.ts";

/** The same instruction, made at `source`. */
export function at(
  source: SourceLocation,
  { opcode, dst, src, offset, immediate, immediateHigh, reference }: Instruction,
): Instruction {
  return makeInstruction(opcode, dst, src, offset, immediate, immediateHigh, reference, source);
}
