/** The form of a case: an attempt, and the outcome expected of each kernel. */
import { compareReleases, majorMinor, type Release } from "../release.ts";
import type { VerifierStatistics } from "../report/result.ts";

/** One case. */
export interface Case {
  /** `group/what`, unique. */
  readonly name: string;
  /** A required kernel feature; without it, the case must fail. */
  readonly needs?: Feature | undefined;
  readonly expect: PerKernel<Expectation>;
  /**
   * Makes the attempt. A refusal by the kernel is an outcome; any thrown error is a surprise whose message says
   * what was expected.
   */
  readonly run: () => Outcome | Promise<Outcome>;
}

/** A feature that some kernels lack: a declared fact that the probe has to confirm. */
export interface Feature {
  readonly name: string;
  /** The first version (major.minor) that has it. */
  readonly since: string;
  /** Probes for the feature; `accepted` means present. */
  readonly attempt: () => Outcome | Promise<Outcome>;
}

export type Expectation =
  /** Accepted; if the case uses the result, its assertions hold. */
  | { readonly kind: "accepted" }
  /** An observation in a few words, made by the case. */
  | { readonly kind: "observed"; readonly value: string }
  /** Refused; the kernel's error and message confirm the reason. */
  | { readonly kind: "refused"; readonly words: RegExp; readonly errno?: string };

export type Outcome =
  | { readonly kind: "accepted"; readonly statistics?: VerifierStatistics }
  | { readonly kind: "observed"; readonly value: string }
  | { readonly kind: "refused"; readonly errno: string; readonly log: string };

/** One value for every kernel, or one from each of several versions on. */
export type PerKernel<T> = T | { readonly from: Readonly<Record<string, T>> };

/** The value for `release`: that of the newest listed version not above it. */
export function onKernel<T extends object>(value: PerKernel<T>, release: Release): T {
  if (!("from" in value)) return value;
  const versions = Object.keys(value.from).sort(compareReleases);
  const version = versions.findLast((version) => compareReleases(version, majorMinor(release)) <= 0);
  if (version === undefined)
    throw new RangeError(`cannot judge ${release}: the oldest declared version is ${versions[0]}`);
  return value.from[version]!;
}

export const accepted: Expectation = { kind: "accepted" };

/** Expects an observation, possibly by version. */
export function observed(value: string | Readonly<Record<string, string>>): PerKernel<Expectation> {
  const expectation = (value: string): Expectation => ({ kind: "observed", value });
  if (typeof value === "string") return expectation(value);
  return { from: Object.fromEntries(Object.entries(value).map(([version, value]) => [version, expectation(value)])) };
}

/** Expects a refusal with a message, possibly by version. */
export function refused(words: RegExp | Readonly<Record<string, RegExp>>, errno?: string): PerKernel<Expectation> {
  const expectation = (words: RegExp): Expectation => ({
    kind: "refused",
    words,
    ...(errno !== undefined && { errno }),
  });
  if (words instanceof RegExp) return expectation(words);
  return { from: Object.fromEntries(Object.entries(words).map(([version, words]) => [version, expectation(words)])) };
}
