/**
 * `npm run fuzz:sim -- [COUNT] [SEED]`: compares random programs in the simulator and the running kernel. Needs
 * root. Program i has the seed SEED + i; to run it again, pass that seed.
 */
import { whyNoKernel } from "../../testing/index.ts";
import { compareWithKernel, Disagreement } from "./differential.ts";
import { probeInstructions } from "./instruction-probe.ts";

const [count = 100_000, seed = Date.now() % 0x4000_0000] = process.argv.slice(2).map(Number);

function main(): number {
  if (!Number.isSafeInteger(count) || !Number.isSafeInteger(seed) || count < 1 || seed < 0) {
    process.stderr.write("usage: npm run fuzz:sim -- [COUNT] [SEED]\n");
    return 2;
  }
  const why = whyNoKernel();
  if (why !== undefined) {
    process.stderr.write(`cannot compare with the kernel: ${why}\n`);
    return 1;
  }
  const choice = probeInstructions();
  process.stdout.write(`seed ${seed}, ${count} programs; instructions: ${JSON.stringify(choice)}\n`);
  const start = performance.now();
  try {
    const { agreed, refused, steps, firstRefusal } = compareWithKernel(seed, count, choice, (done) => {
      if (done % 10_000 === 0)
        process.stdout.write(`${done} programs, ${((performance.now() - start) / 1000).toFixed(0)} s\n`);
    });
    process.stdout.write(`${agreed} programs agree, ${steps} instructions run; the verifier refused ${refused}\n`);
    if (firstRefusal !== undefined) process.stdout.write(`the first refusal: ${firstRefusal}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof Disagreement)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

process.exitCode = main();
