import { type Instruction, opcodes } from "../../asm/index.ts";

export interface TranslationOptions {
  /** Counts how often each instruction runs and each conditional jump is taken. */
  readonly coverage: boolean;
}

/** A program as the translator reads it. */
export class ProgramCode {
  readonly instructions: readonly Instruction[];
  readonly coverage: boolean;
  /** The slot of each instruction: jumps count slots, and an `lddw` takes two. */
  readonly slots: Int32Array;
  readonly #indexes: Int32Array;

  constructor(instructions: readonly Instruction[], { coverage }: TranslationOptions) {
    this.instructions = instructions;
    this.coverage = coverage;
    this.slots = new Int32Array(instructions.length);
    let slot = 0;
    instructions.forEach((instruction, index) => {
      this.slots[index] = slot;
      slot += instruction.opcode === opcodes.LDDW ? 2 : 1;
    });
    this.#indexes = new Int32Array(slot).fill(-1);
    this.slots.forEach((slot, index) => (this.#indexes[slot] = index));
  }

  /** The instruction `distance` slots after the one following `index`; -1 if no instruction starts there. */
  target(index: number, distance: number): number {
    const next = this.slots[index]! + (this.instructions[index]!.opcode === opcodes.LDDW ? 2 : 1);
    return this.#indexes[next + distance] ?? -1;
  }
}
