import { execFileSync } from "node:child_process";
import { suite, type Test } from "uvu";
import { whyNoKernel } from "./kernel-suite.ts";

/** Whether a command is installed. */
export function hasTool(name: string): boolean {
  try {
    execFileSync("sh", ["-c", 'command -v "$0"', name], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/**
 * A suite of tests that use external tools. If a tool is missing, or `kernel` is required and unavailable, its
 * tests are skipped with a line on standard error.
 */
export function toolSuite(name: string, tools: readonly string[], options: { readonly kernel?: boolean } = {}): Test {
  const real = suite(name);
  const absent = tools.filter((tool) => !hasTool(tool)).map((tool) => `${tool} is not installed`);
  const kernel = options.kernel === true ? whyNoKernel() : undefined;
  const why = [...absent, ...(kernel === undefined ? [] : [kernel])];
  if (why.length === 0) return real;
  process.stderr.write(`SKIPPED, all tests of "${name}": ${why.join(", ")}\n`);
  return Object.assign(((title, test) => real.skip(title, test)) as Test, real);
}

/** Runs a tool and returns its output. @throws {Error} with its error output, if it fails */
export function runTool(name: string, ...args: readonly string[]): string {
  return execFileSync(name, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], maxBuffer: 1 << 28 });
}
