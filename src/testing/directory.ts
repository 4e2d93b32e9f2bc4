import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Runs `work` with a new directory, then removes it. */
export function withDirectory<T>(work: (directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), "tsbpf-test-"));
  try {
    return work(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
