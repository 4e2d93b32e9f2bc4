/** What both commands do with results. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { formatJunit } from "./report/junit.ts";
import { formatMatrix } from "./report/matrix.ts";
import { isClean, type KernelResult } from "./report/result.ts";

export interface OutputOptions {
  /** JSON on standard output instead of the matrix. */
  readonly json?: boolean;
  /** Also a JUnit file, under this path. */
  readonly junit?: string;
}

/** Prints results, and gives the process's exit status: 1 where anything is not as expected. */
export async function printResults(kernels: readonly KernelResult[], { json, junit }: OutputOptions): Promise<0 | 1> {
  if (junit !== undefined) {
    await mkdir(dirname(junit), { recursive: true });
    await writeFile(junit, formatJunit(kernels));
  }
  process.stdout.write(json ? `${JSON.stringify(kernels, null, 2)}\n` : `${formatMatrix(kernels)}\n`);
  return kernels.every(isClean) ? 0 : 1;
}
