import type { Instruction } from "../../asm/index.ts";
import * as arithmetic from "../arithmetic.ts";
import { ProgramCode, type TranslationOptions } from "./code.ts";
import { translateFunction } from "./function.ts";

/** Members that every machine for translations has; the translated text uses more, without type checks. */
export interface RunningMachine {
  /** High half of the last 64-bit result. */
  high: number;
}

/**
 * The JavaScript translation of a BPF function. Takes the call depth and the halves of r1 to r5; returns the
 * low half of r0 and leaves the high half in `machine.high`.
 */
export type TranslatedFunction = (
  machine: RunningMachine,
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

/** A program translated for execution. */
export class TranslatedProgram extends ProgramCode {
  readonly #functions = new Map<number, TranslatedFunction>();

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
