/** Judges outcomes. Pure, so that tests need no kernel. */
import { isAtLeast, type Release } from "../release.ts";
import type { CaseResult } from "../report/result.ts";
import { onKernel, type Case, type Expectation, type Feature, type Outcome } from "./case.ts";

export type Verdict = Pick<CaseResult, "status" | "detail" | "statistics">;

/** An outcome, or the error thrown instead. */
export type Attempt = Outcome | { readonly kind: "thrown"; readonly message: string };

/**
 * Judges a case.
 *
 * @param present Whether the probe of `testCase.needs` found the feature; meaningless without `needs`.
 */
export function evaluate(
  testCase: Pick<Case, "needs" | "expect">,
  attempt: Attempt,
  release: Release,
  present: boolean,
): Verdict {
  const { needs } = testCase;
  if (needs !== undefined && !present) {
    if (isAtLeast(release, needs.since)) return surprise(missing(needs, release));
    if (attempt.kind === "accepted" || attempt.kind === "observed")
      return surprise(`the probe does not find ${needs.name} on ${release}, yet the case succeeded`);
    return { status: "unsupported", detail: `${needs.name} needs Linux ${needs.since}` };
  }
  const expectation = onKernel(testCase.expect, release);
  if (attempt.kind === "thrown") return surprise(attempt.message);
  if (expectation.kind === "refused") return evaluateRefusal(expectation, attempt);
  if (attempt.kind === "refused") return surprise(`refused with ${attempt.errno}: ${lastWords(attempt.log)}`);
  if (expectation.kind === "observed") {
    const value = attempt.kind === "observed" ? attempt.value : "accepted";
    return value === expectation.value
      ? { status: "pass", detail: value }
      : surprise(`${value}; and should be: ${expectation.value}`);
  }
  return {
    status: "pass",
    ...(attempt.kind === "accepted" && attempt.statistics && { statistics: attempt.statistics }),
  };
}

function evaluateRefusal(expectation: Expectation & { kind: "refused" }, attempt: Outcome): Verdict {
  if (attempt.kind !== "refused") return surprise(`accepted, and should be refused with ${String(expectation.words)}`);
  const words = attempt.log.split("\n").find((line) => expectation.words.test(line));
  if (words === undefined) {
    return surprise(
      `refused with ${attempt.errno}, but not with ${String(expectation.words)}: ${lastWords(attempt.log)}`,
    );
  }
  if (expectation.errno !== undefined && attempt.errno !== expectation.errno) {
    return surprise(`refused with ${attempt.errno} instead of ${expectation.errno}: ${words.trim()}`);
  }
  return { status: "refused", detail: words.trim() };
}

/** The message for a missing feature that the kernel should have. */
export function missing(feature: Feature, release: Release): string {
  return `${release} should have ${feature.name}, which exists since ${feature.since}, but the probe fails`;
}

const surprise = (detail: string): Verdict => ({ status: "surprise", detail });

/** The end of a log, without statistics. */
function lastWords(log: string): string {
  const lines = log
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !/^(processed \d+|verification time|stack depth)/.test(line));
  return lines.slice(-3).join(" | ");
}
