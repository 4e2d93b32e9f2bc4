import { AsmError, formatInstruction, type Instruction, type SourceLocation } from "../asm/index.ts";

/**
 * Where a program did what it may not do: the simulator's answer to what the
 * verifier would have refused, or the kernel would have crashed on.
 */
export class SimulationFault extends Error {
  override readonly name = "SimulationFault";
  /** Index of the instruction in the program (an `lddw` counts as one). */
  readonly index: number;
  readonly instruction: Instruction;
  /** What it did wrong. */
  readonly reason: string;

  constructor(index: number, instruction: Instruction, reason: string) {
    super(`instruction ${index} (${instructionText(instruction)}${sourceText(instruction.source)}): ${reason}`);
    this.index = index;
    this.instruction = instruction;
    this.reason = reason;
  }

  /** The line of TypeScript that made the instruction. */
  get source(): SourceLocation | undefined {
    return this.instruction.source;
  }
}

function sourceText(source: SourceLocation | undefined): string {
  return source === undefined ? "" : `, ${source.file}:${source.line}:${source.column}`;
}

/** Where the fault is that the instruction is none, it cannot be printed either. */
function instructionText(instruction: Instruction): string {
  try {
    return formatInstruction(instruction);
  } catch (error) {
    if (error instanceof AsmError) return `opcode 0x${instruction.opcode.toString(16)}`;
    throw error;
  }
}

/** What went wrong in an access or a helper, before it is known which instruction asked for it. */
export class ReasonForFault extends Error {
  override readonly name = "ReasonForFault";
}
