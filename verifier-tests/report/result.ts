/** The results of a run, in a form that crosses from guest to host as JSON. */
import type { Release } from "../release.ts";

/**
 * - `pass`: accepted, and behaved as expected
 * - `refused`: refused as expected, for the expected reason
 * - `unsupported`: the kernel is older than a required feature, and a probe confirmed its absence
 * - `surprise`: anything else; fails the run
 */
export type Status = "pass" | "refused" | "unsupported" | "surprise";

/** The verifier's statistics for a program. */
export interface VerifierStatistics {
  /** Instructions processed, along all paths. */
  readonly instructions: number;
  /** States kept during the whole run. */
  readonly states: number;
  /** The most states kept at once. */
  readonly peakStates: number;
  /** Bytes of stack of the main program and of each subprogram. */
  readonly stackDepth: readonly number[];
}

export interface CaseResult {
  /** `group/what`. */
  readonly name: string;
  readonly status: Status;
  /** The kernel's message for `refused`, the feature for `unsupported`, the event for `surprise`. */
  readonly detail?: string;
  readonly statistics?: VerifierStatistics;
  readonly milliseconds: number;
}

/** All results on one kernel. */
export interface KernelResult {
  readonly release: Release;
  readonly results: readonly CaseResult[];
  /** Why the run is unreliable: the kernel did not boot, hung, or lost results. */
  readonly failure?: string;
  /** Last lines of the console, with a failure. */
  readonly console?: readonly string[];
  readonly seconds: number;
}

/** Whether all results on this kernel are as expected. */
export function isClean(kernel: KernelResult): boolean {
  return (
    kernel.failure === undefined &&
    kernel.results.length > 0 &&
    kernel.results.every(({ status }) => status !== "surprise")
  );
}

/** The number of cases by status. */
export function count(results: readonly CaseResult[]): Readonly<Record<Status, number>> {
  const counts = { pass: 0, refused: 0, unsupported: 0, surprise: 0 };
  for (const { status } of results) counts[status]++;
  return counts;
}
