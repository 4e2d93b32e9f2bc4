import { CommanderError, type Command } from "commander";
import { whyNoKernel } from "../src/testing/index.ts";

/** Runs a benchmark's command. Exit code 0; 1 after a failure, with a line that says why; 2 after a usage error. */
export async function runBench(command: Command): Promise<void> {
  try {
    await command.exitOverride().parseAsync();
  } catch (error) {
    // Commander has already reported usage errors, and --help is none.
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
    else {
      process.stderr.write(`${command.name()}: ${error instanceof Error ? error.message : String(error)}\n`);
      process.exitCode = 1;
    }
  }
}

/** @throws {Error} if programs cannot be loaded */
export function needKernel(): void {
  const why = whyNoKernel();
  if (why !== undefined) throw new Error(`cannot load programs: this needs root on Linux, and ${why}`);
}
