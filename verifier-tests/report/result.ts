/** What a run of the suite gives, in a form that crosses from guest to host as JSON. */
import type { Release } from "../release.ts";

/**
 * - `pass`: it was accepted, and did what it should;
 * - `refused`: it had to be refused, and was, for the reason that was expected;
 * - `unsupported`: the kernel is older than a feature that it needs, and its absence was found by a probe;
 * - `surprise`: anything else. A run with one of these fails.
 */
export type Status = "pass" | "refused" | "unsupported" | "surprise";

/** What the verifier had to do for a program, in its own words' numbers. */
export interface VerifierStatistics {
  /** Instructions walked over, along all paths. */
  readonly instructions: number;
  /** States kept, over the whole run. */
  readonly states: number;
  /** States kept at once. */
  readonly peakStates: number;
  /** Bytes of stack: of the main program and of each subprogram. */
  readonly stackDepth: readonly number[];
}

export interface CaseResult {
  /** `group/what`. */
  readonly name: string;
  readonly status: Status;
  /** For `refused` the kernel's words, for `unsupported` the feature, for `surprise` what happened instead. */
  readonly detail?: string;
  readonly statistics?: VerifierStatistics;
  readonly milliseconds: number;
}

/** All results on one kernel. */
export interface KernelResult {
  readonly release: Release;
  readonly results: readonly CaseResult[];
  /** Why the run is not to be relied on: the kernel did not boot, hung, or lost results. */
  readonly failure?: string;
  /** Last lines of the console, with a failure. */
  readonly console?: readonly string[];
  readonly seconds: number;
}

/** Whether everything on this kernel went as expected. */
export function isClean(kernel: KernelResult): boolean {
  return (
    kernel.failure === undefined &&
    kernel.results.length > 0 &&
    kernel.results.every(({ status }) => status !== "surprise")
  );
}

/** How many cases ended how. */
export function count(results: readonly CaseResult[]): Readonly<Record<Status, number>> {
  const counts = { pass: 0, refused: 0, unsupported: 0, surprise: 0 };
  for (const { status } of results) counts[status]++;
  return counts;
}
