/** The table of cases: what is tried, and what each kernel is expected to make of it. */
import { compareReleases, majorMinor, type Release } from "../release.ts";
import type { VerifierStatistics } from "../report/result.ts";

/** One line of the table. */
export interface Case {
  /** `group/what`, unique. */
  readonly name: string;
  /** What the kernel has to have; where it has not, the case must not succeed. */
  readonly needs?: Feature | undefined;
  readonly expect: PerKernel<Expectation>;
  /**
   * Tries it. What the kernel refuses is an outcome; anything that is thrown is
   * a surprise, and its message says what was expected.
   */
  readonly run: () => Outcome | Promise<Outcome>;
}

/** Something that not every kernel has: a declared fact, which the probe has to agree with. */
export interface Feature {
  readonly name: string;
  /** The first version (major.minor) that has it. */
  readonly since: string;
  /** Tries it; it is there where the outcome is `accepted`. */
  readonly attempt: () => Outcome | Promise<Outcome>;
}

export type Expectation =
  /** Accepted; where the case goes on to use it, all that it asserts holds. */
  | { readonly kind: "accepted" }
  /** Found to be so, in a few words that the case makes of what it sees. */
  | { readonly kind: "observed"; readonly value: string }
  /** Refused; the kernel's error and words tell that it was for this reason. */
  | { readonly kind: "refused"; readonly words: RegExp; readonly errno?: string };

export type Outcome =
  | { readonly kind: "accepted"; readonly statistics?: VerifierStatistics }
  | { readonly kind: "observed"; readonly value: string }
  | { readonly kind: "refused"; readonly errno: string; readonly log: string };

/** The same for every kernel, or what holds from each of some versions on. */
export type PerKernel<T> = T | { readonly from: Readonly<Record<string, T>> };

/** What holds on `release`: of the versions listed, the newest that is not newer than it. */
export function onKernel<T extends object>(value: PerKernel<T>, release: Release): T {
  if (!("from" in value)) return value;
  const versions = Object.keys(value.from).sort(compareReleases);
  const version = versions.findLast((version) => compareReleases(version, majorMinor(release)) <= 0);
  if (version === undefined)
    throw new RangeError(`nothing is declared for ${release}: the oldest version is ${versions[0]}`);
  return value.from[version]!;
}

export const accepted: Expectation = { kind: "accepted" };

/** Found to be so; by version where it differs. */
export function observed(value: string | Readonly<Record<string, string>>): PerKernel<Expectation> {
  const expectation = (value: string): Expectation => ({ kind: "observed", value });
  if (typeof value === "string") return expectation(value);
  return { from: Object.fromEntries(Object.entries(value).map(([version, value]) => [version, expectation(value)])) };
}

/** Refused, in words that differ by version where `words` is given by version. */
export function refused(words: RegExp | Readonly<Record<string, RegExp>>, errno?: string): PerKernel<Expectation> {
  const expectation = (words: RegExp): Expectation => ({
    kind: "refused",
    words,
    ...(errno !== undefined && { errno }),
  });
  if (words instanceof RegExp) return expectation(words);
  return { from: Object.fromEntries(Object.entries(words).map(([version, words]) => [version, expectation(words)])) };
}
