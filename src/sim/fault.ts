import { AsmError, formatInstruction, type Instruction, type SourceLocation } from "../asm/index.ts";

/** A program did something illegal that the verifier would have refused, or that would have crashed the kernel. */
export class SimulationFault extends Error {
  override readonly name = "SimulationFault";
  /** Index of the instruction in the program; an `lddw` counts once. */
  readonly index: number;
  readonly instruction: Instruction;
  /** The program's error. */
  readonly reason: string;

  constructor(index: number, instruction: Instruction, reason: string) {
    super(`instruction ${index} (${instructionText(instruction)}${sourceText(instruction.source)}): ${reason}`);
    this.index = index;
    this.instruction = instruction;
    this.reason = reason;
  }

  /** The TypeScript line that made the instruction. */
  get source(): SourceLocation | undefined {
    return this.instruction.source;
  }
}

function sourceText(source: SourceLocation | undefined): string {
  return source === undefined ? "" : `, ${source.file}:${source.line}:${source.column}`;
}

/** An invalid instruction cannot be formatted: falls back to its opcode. */
function instructionText(instruction: Instruction): string {
  try {
    return formatInstruction(instruction);
  } catch (error) {
    if (error instanceof AsmError) return `opcode 0x${instruction.opcode.toString(16)}`;
    throw error;
  }
}

/** Why an access or a helper call failed, before the failing instruction is known. */
export class ReasonForFault extends Error {
  override readonly name = "ReasonForFault";
}
