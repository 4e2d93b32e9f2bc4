import type { Instruction, Reference, SourceLocation } from "./instruction.ts";

/**
 * The one place where instructions are made: the same properties in the same
 * order each time, so that the engine sees a single shape and the code that
 * goes over millions of them stays fast.
 */
export function makeInstruction(
  opcode: number,
  dst: number,
  src: number,
  offset: number,
  immediate: number,
  immediateHigh?: number,
  reference?: Reference,
  source?: SourceLocation,
): Instruction {
  return { opcode, dst, src, offset, immediate, immediateHigh, reference, source };
}
