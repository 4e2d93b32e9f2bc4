/**
 * What a kernel made of the table, recorded: one file a kernel version, in the
 * repository. The statistics of later runs are compared with it, and
 * docs/kernels.md is made of it.
 */
import { readdirSync, readFileSync, writeFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { compareReleases, majorMinor, type Release } from "../release.ts";
import { shortRelease } from "./matrix.ts";
import type { CaseResult, KernelResult, VerifierStatistics } from "./result.ts";

export const snapshotDirectory = join(dirname(fileURLToPath(import.meta.url)), "..", "snapshots");

export interface Snapshot {
  /** The version that it was recorded on, less the builder's suffix. */
  readonly release: Release;
  /** By name of case, in the order of the table. */
  readonly cases: Readonly<Record<string, Pick<CaseResult, "status" | "detail" | "statistics">>>;
}

/** The recorded form of results, which has nothing in it that differs from run to run. */
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

/** How far the instructions that the verifier walks may rise over the recorded number before that is a surprise. */
const TOLERANCE = 0.05;

/**
 * Compares the statistics of a run with those recorded. A rise beyond the
 * tolerance turns a pass into a surprise.
 *
 * @param snapshot `undefined` where nothing is recorded for this kernel: nothing is compared then.
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
      `the verifier walks ${statistics.instructions} instructions, ${rise} % more than the ${recorded.instructions} recorded; ` +
      "where that is meant, record it with --record",
  };
}

/** What is recorded for a kernel's version; `undefined` where nothing is. */
export function readSnapshot(release: Release): Snapshot | undefined {
  return readSnapshots().find((snapshot) => majorMinor(snapshot.release) === majorMinor(release));
}

/** All that is recorded, oldest kernel first. */
export function readSnapshots(): Snapshot[] {
  const files = readdirSync(snapshotDirectory).filter((name) => name.endsWith(".json"));
  return files
    .map((name) => JSON.parse(readFileSync(join(snapshotDirectory, name), "utf8")) as Snapshot)
    .sort((a, b) => compareReleases(a.release, b.release));
}

/** Records results, in place of what was recorded for that kernel version. */
export function writeSnapshot(kernel: KernelResult): void {
  mkdirSync(snapshotDirectory, { recursive: true });
  const { release, cases } = snapshotOf(kernel);
  // One case a line: a change shows as the lines of the cases that changed.
  const lines = Object.entries(cases).map(([name, result]) => `    ${JSON.stringify(name)}: ${JSON.stringify(result)}`);
  writeFileSync(
    join(snapshotDirectory, `${majorMinor(release)}.json`),
    `{\n  "release": ${JSON.stringify(release)},\n  "cases": {\n${lines.join(",\n")}\n  }\n}\n`,
  );
}
