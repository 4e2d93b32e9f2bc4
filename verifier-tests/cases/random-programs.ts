/** Random programs: compiled, accepted by the verifier, and in the kernel equal to direct evaluation. */
import fc from "fast-check";
import { printModule } from "../../src/compiler/index.ts";
import { hasLaterAtomics } from "../../src/compiler/testing/check-random-programs.ts";
import { moduleOf, randomProgram } from "../../src/compiler/testing/random-module.ts";
import { expected, input, KernelRunner } from "../../src/compiler/testing/run-in-kernel.ts";
import { accepted, type Case } from "../suite/case.ts";
import { atomicFetch, isPresent, signExtension } from "../suite/features.ts";

/** Programs per case, and number of cases. */
const PROGRAMS = 25;
const CASES = 10;
/** A fixed seed: the same programs on every kernel and in every run. */
const SEED = 20_240_510;

async function check(first: number): Promise<void> {
  const programs = fc.sample(randomProgram, { numRuns: PROGRAMS, seed: SEED + first });
  const [atomics, version4] = [await isPresent(atomicFetch), await isPresent(signExtension)];
  const runner = new KernelRunner();
  try {
    programs.forEach((program, i) => {
      const number = first + i;
      const module = moduleOf(program);
      const needsAtomics = hasLaterAtomics(module);
      if (needsAtomics && !atomics) return;
      const before = input(number);
      const want = expected(module, before);
      const level = ([1, 2, 3, version4 ? 4 : 3] as const)[number % 4]!;
      const isa = needsAtomics && level < 3 ? 3 : level;
      const got = runner.run(module, before, { isa });
      if (got.returned !== want.returned || got.data !== want.data) {
        throw new Error(
          `program ${number}, instruction set ${isa}: returned ${got.returned} instead of ${want.returned}, ` +
            `memory ${got.data} instead of ${want.data}\n${printModule(module)}`,
        );
      }
    });
  } finally {
    runner.close();
  }
}

export const randomPrograms: readonly Case[] = Array.from({ length: CASES }, (_, i) => ({
  name: `random programs/${i * PROGRAMS} to ${i * PROGRAMS + PROGRAMS - 1}`,
  expect: accepted,
  async run() {
    await check(i * PROGRAMS);
    return { kind: "accepted" };
  },
}));
