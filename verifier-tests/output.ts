/** Output of results, shared by both commands. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Command } from "commander";
import { CommandError } from "../src/cli/errors.ts";
import { formatJunit } from "./report/junit.ts";
import { formatMatrix } from "./report/matrix.ts";
import { isClean, type KernelResult } from "./report/result.ts";
import { compareStatistics, readSnapshot, writeSnapshot } from "./report/snapshot.ts";

export interface OutputOptions {
  /** Print JSON instead of the matrix. */
  readonly json?: boolean;
  /** Also write a JUnit file to this path. */
  readonly junit?: string;
  /** Only cases with this text in their name. */
  readonly filter?: string;
  /** Record the results for later comparison, instead of comparing them. */
  readonly record?: boolean;
}

export function addOutputOptions(command: Command): Command {
  return command
    .option("--json", "print the results as JSON")
    .option("--junit <file>", "also write the results as JUnit XML")
    .option("--filter <text>", "only cases with this text in their name")
    .option("--record", "record the results in verifier-tests/snapshots, without comparing the verifier's statistics");
}

/**
 * Compares results with the recorded ones, or records them; prints them.
 *
 * @returns the exit status: 1 unless all results are as expected
 */
export async function reportResults(
  results: readonly KernelResult[],
  { json, junit, filter, record }: OutputOptions,
): Promise<0 | 1> {
  if (record && filter !== undefined)
    throw new CommandError("cannot record a filtered run", { hint: "leave --filter out" });
  const kernels = record
    ? results
    : results.map((kernel) =>
        kernel.failure === undefined ? compareStatistics(kernel, readSnapshot(kernel.release)) : kernel,
      );
  if (junit !== undefined) {
    await mkdir(dirname(junit), { recursive: true });
    await writeFile(junit, formatJunit(kernels));
  }
  process.stdout.write(json ? `${JSON.stringify(kernels, null, 2)}\n` : `${formatMatrix(kernels)}\n`);
  // A run with surprises is no baseline for later runs.
  if (record) kernels.filter(isClean).forEach(writeSnapshot);
  return kernels.every(isClean) ? 0 : 1;
}
