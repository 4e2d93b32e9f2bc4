/** The compiler's main test: random programs run in the kernel and in the interpreter. */
import fc from "fast-check";
import type { IrModule, Operation } from "../ir/ir.ts";
import { printModule } from "../ir/print.ts";
import type { InstructionSet } from "../instruction-set.ts";
import { moduleOf, randomProgram } from "./random-module.ts";
import { expected, input, KernelRunner } from "./run-in-kernel.ts";

/**
 * Makes `runs` random programs and compiles each with and without optimisation;
 * both must give the interpreter's results in the kernel. Throws an Error with the
 * seed and the smallest failing program.
 */
export function checkRandomPrograms(
  runs: number,
  seed: number,
): { readonly plain: number; readonly optimised: number } {
  const runner = new KernelRunner();
  /** Instructions in total. */
  const count = { plain: 0, optimised: 0 };
  try {
    fc.assert(
      fc.property(randomProgram, fc.nat(), fc.constantFrom<1 | 2 | 3 | 4>(1, 2, 3, 3, 3, 4), (program, data, level) => {
        const module = moduleOf(program);
        const isa = hasLaterAtomics(module) ? (Math.max(level, 3) as InstructionSet) : level;
        const before = input(data);
        const want = expected(module, before);
        for (const optimise of [false, true]) {
          let got;
          try {
            got = runner.run(module, before, { isa, optimise, validate: true });
          } catch (error) {
            throw new Error(`isa ${isa}, optimise ${optimise}: ${String(error)}\n${printModule(module)}`);
          }
          count[optimise ? "optimised" : "plain"] += got.length;
          if (got.returned !== want.returned || got.data !== want.data) {
            throw new Error(
              `isa ${isa}, optimise ${optimise}: returned ${got.returned} instead of ${want.returned},\n` +
                `${got.data} instead of\n${want.data}\n${printModule(module)}`,
            );
          }
        }
      }),
      { numRuns: runs, seed },
    );
  } finally {
    runner.close();
  }
  return count;
}

/** Whether it has atomic operations that need instruction set 3. */
export function hasLaterAtomics(module: IrModule): boolean {
  const isLater = (o: Operation): boolean =>
    o.op === "compare-exchange" || (o.op === "atomic" && (o.fetch || o.operator !== "add"));
  return module.functions.some(({ blocks }) =>
    blocks.some(({ instructions }) => instructions.some(({ operation }) => isLater(operation))),
  );
}
