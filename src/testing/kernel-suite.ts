import { suite, type Test } from "uvu";

/** Why kernel tests cannot run here; undefined if they can. */
export function whyNoKernel(): string | undefined {
  if (process.platform !== "linux") return `this is ${process.platform}, not Linux`;
  if (process.getuid?.() !== 0) return "this is not root";
  return undefined;
}

/**
 * A suite of tests that load programs into the kernel. If that is impossible here, its tests are skipped with a
 * line on standard error.
 */
export function kernelSuite<T = Record<string, unknown>>(name: string): Test<T> {
  const real = suite<T>(name);
  const why = whyNoKernel();
  if (why === undefined) return real;
  process.stderr.write(`SKIPPED, all tests of "${name}": they need root on Linux, and ${why}\n`);
  return Object.assign(((title, test) => real.skip(title, test)) as Test<T>, real);
}
