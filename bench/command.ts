import { CommanderError, type Command } from "commander";
import { whyNoKernel } from "../src/testing/index.ts";

/** Runs a measurement's command: exit code 0, 1 where it failed, for which a line says why, 2 where it was called wrongly. */
export async function runBench(command: Command): Promise<void> {
  try {
    await command.exitOverride().parseAsync();
  } catch (error) {
    // Commander has said what is wrong with the arguments; for --help nothing is.
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
    else {
      process.stderr.write(`${command.name()}: ${error instanceof Error ? error.message : String(error)}\n`);
      process.exitCode = 1;
    }
  }
}

/** @throws {Error} where programs cannot be loaded */
export function needKernel(): void {
  const why = whyNoKernel();
  if (why !== undefined) throw new Error(`programs are loaded into the kernel, which takes root on Linux, and ${why}`);
}
