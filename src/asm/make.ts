import type { Instruction, Reference, SourceLocation } from "./instruction.ts";

/**
 * An instruction from its fields, unchecked; `encode` checks them. Every builder uses it: all instructions have the
 * same properties in the same order, which keeps code over millions of them fast.
 *
 * @example
 * ```ts
 * import { makeInstruction, opcodes } from "tsbpf/asm";
 *
 * makeInstruction(opcodes.EXIT, 0, 0, 0, 0); // exit
 * ```
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
