/**
 * Recorded results: one file per kernel version. Later runs are compared with their statistics, and
 * docs/kernels.md is generated from them.
 */
import { readdirSync, readFileSync, writeFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { compareReleases, majorMinor, type Release } from "../release.ts";
import { shortRelease } from "./matrix.ts";
import type { CaseResult, KernelResult, VerifierStatistics } from "./result.ts";

export const snapshotDirectory = join(dirname(fileURLToPath(import.meta.url)), "..", "snapshots");

export interface Snapshot {
  /** The recorded version, without the builder's suffix. */
  readonly release: Release;
  /** By case name, in table order. */
  readonly cases: Readonly<Record<string, Pick<CaseResult, "status" | "detail" | "statistics">>>;
}

/** The recorded form of results, without details that differ between runs. */
export function snapshotOf({ release, results }: KernelResult): Snapshot {
  const cases = results.map(
    ({ name, status, detail, statistics }) =>
      [
        name,
        {
          status,
          ...(detail !== undefined && { detail: detail.replace(/ \(?descriptor \d+\)?/g, "") }),
          ...(statistics && { statistics }),
        },
      ] as const,
  );
  return { release: shortRelease(release), cases: Object.fromEntries(cases) };
}

/** The allowed rise of the processed instructions over the recorded number. */
const TOLERANCE = 0.05;

/**
 * Compares a run's statistics with the recorded ones. A rise beyond the tolerance turns a pass into a surprise.
 *
 * @param snapshot `undefined` if none is recorded for this kernel; then nothing is compared.
 */
export function compareStatistics(kernel: KernelResult, snapshot: Snapshot | undefined): KernelResult {
  return {
    ...kernel,
    results: kernel.results.map((result) => compareOne(result, snapshot?.cases[result.name]?.statistics)),
  };
}

function compareOne(result: CaseResult, recorded: VerifierStatistics | undefined): CaseResult {
  const { statistics } = result;
  if (
    recorded === undefined ||
    statistics === undefined ||
    statistics.instructions <= recorded.instructions * (1 + TOLERANCE)
  )
    return result;
  const rise = ((statistics.instructions / recorded.instructions - 1) * 100).toFixed(0);
  return {
    ...result,
    status: "surprise",
    detail:
      `the verifier processes ${statistics.instructions} instructions, ${rise} % more than ` +
      `the ${recorded.instructions} recorded; if that is intended, record it with --record`,
  };
}

/** The snapshot of a kernel version; `undefined` if there is none. */
export function readSnapshot(release: Release): Snapshot | undefined {
  return readSnapshots().find((snapshot) => majorMinor(snapshot.release) === majorMinor(release));
}

/** All snapshots, oldest kernel first. */
export function readSnapshots(): Snapshot[] {
  const files = readdirSync(snapshotDirectory).filter((name) => name.endsWith(".json"));
  return files
    .map((name) => JSON.parse(readFileSync(join(snapshotDirectory, name), "utf8")) as Snapshot)
    .sort((a, b) => compareReleases(a.release, b.release));
}

/** Records results, replacing the snapshot of that kernel version. */
export function writeSnapshot(kernel: KernelResult): void {
  mkdirSync(snapshotDirectory, { recursive: true });
  const { release, cases } = snapshotOf(kernel);
  // One case per line, so that diffs show the changed cases.
  const lines = Object.entries(cases).map(([name, result]) => `    ${JSON.stringify(name)}: ${JSON.stringify(result)}`);
  writeFileSync(
    join(snapshotDirectory, `${majorMinor(release)}.json`),
    `{\n  "release": ${JSON.stringify(release)},\n  "cases": {\n${lines.join(",\n")}\n  }\n}\n`,
  );
}
