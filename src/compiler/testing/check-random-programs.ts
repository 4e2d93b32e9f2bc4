/** The compiler's main test: random programs do in the kernel what they say. */
import fc from "fast-check";
import { printModule } from "../ir/print.ts";
import { moduleOf, randomProgram } from "./random-module.ts";
import { expected, input, KernelRunner } from "./run-in-kernel.ts";

/**
 * Makes `runs` random programs and compiles each with all optimisations and with
 * none; both must do in the kernel what direct evaluation gives. Throws an Error
 * with the seed and the smallest program that fails.
 */
export function checkRandomPrograms(runs: number, seed: number): { readonly plain: number; readonly optimised: number } {
  const runner = new KernelRunner();
  /** Instructions in all. */
  const count = { plain: 0, optimised: 0 };
  try {
    fc.assert(fc.property(randomProgram, fc.nat(), fc.constantFrom<1 | 2 | 3 | 4>(1, 2, 3, 3, 3, 4), (program, data, isa) => {
      const module = moduleOf(program);
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
          throw new Error(`isa ${isa}, optimise ${optimise}: returned ${got.returned} instead of ${want.returned},\n${got.data} instead of\n${want.data}\n${printModule(module)}`);
        }
      }
    }), { numRuns: runs, seed });
  } finally {
    runner.close();
  }
  return count;
}
