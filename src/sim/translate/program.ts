import { type Instruction, opcodes } from "../../asm/index.ts";
import * as arithmetic from "../arithmetic.ts";
import type { Machine } from "../machine.ts";
import { translateFunction } from "./function.ts";

/**
 * The JavaScript translation of a BPF function. Takes the call depth and the halves of r1 to r5; returns the
 * low half of r0 and leaves the high half in `machine.high`.
 */
export type TranslatedFunction = (
  machine: Machine,
  depth: number,
  l1: number,
  h1: number,
  l2: number,
  h2: number,
  l3: number,
  h3: number,
  l4: number,
  h4: number,
  l5: number,
  h5: number,
) => number;

export interface TranslationOptions {
  /** Counts how often each instruction runs and each conditional jump is taken. */
  readonly coverage: boolean;
}

/** A program translated for execution. */
export class TranslatedProgram {
  readonly instructions: readonly Instruction[];
  readonly coverage: boolean;
  /** The slot of each instruction: jumps count slots, and an `lddw` takes two. */
  readonly slots: Int32Array;
  readonly #indexes: Int32Array;
  readonly #functions = new Map<number, TranslatedFunction>();

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

  /** The function that starts at an instruction, translated on first use. */
  function(entry: number): TranslatedFunction {
    let translated = this.#functions.get(entry);
    if (translated === undefined) {
      // oxlint-disable-next-line typescript/no-implied-eval -- the text is translateFunction's output
      const make = new Function("U", "A", translateFunction(this, entry)) as (
        program: TranslatedProgram,
        operations: typeof arithmetic,
      ) => TranslatedFunction;
      translated = make(this, arithmetic);
      this.#functions.set(entry, translated);
    }
    return translated;
  }
}

const plain = new WeakMap<readonly Instruction[], TranslatedProgram>();
const counting = new WeakMap<readonly Instruction[], TranslatedProgram>();

/** Translates an instruction list; repeated calls return the same translation. */
export function translateProgram(instructions: readonly Instruction[], options: TranslationOptions): TranslatedProgram {
  const cache = options.coverage ? counting : plain;
  let translated = cache.get(instructions);
  if (translated === undefined) {
    translated = new TranslatedProgram(instructions, options);
    cache.set(instructions, translated);
  }
  return translated;
}
