/**
 * Kernel versions. They are only compared: a probe decides whether a kernel has a feature, and the version
 * whether it should.
 */

/** `"6.12"`, `"6.12.117"` or a whole release such as `"6.12.117+deb13-amd64"`. */
export type Release = string;

/**
 * The leading numbers of a release: `[6, 12, 117]`.
 *
 * @throws {RangeError} unless the text begins with `major.minor`.
 */
export function versionNumbers(release: Release): number[] {
  const match = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(release);
  if (match === null)
    throw new RangeError(`${JSON.stringify(release)} is not a kernel version: expected major.minor, such as 6.12`);
  return match
    .slice(1)
    .filter((part) => part !== undefined)
    .map(Number);
}

/** `"6.12"` of `"6.12.117+deb13-amd64"`: the precision of feature dates. */
export function majorMinor(release: Release): string {
  return versionNumbers(release).slice(0, 2).join(".");
}

/**
 * Negative, zero or positive as `a` is older than, equal to or newer than `b`. Compares all numbers, including
 * the distribution's suffix: `5.10.0-32` is newer than `5.10.0-30`.
 */
export function compareReleases(a: Release, b: Release): number {
  const [left, right] = [a, b].map((release) => release.match(/\d+/g)?.map(Number) ?? []) as [number[], number[]];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Whether `release` is version `since` (major.minor) or newer. */
export function isAtLeast(release: Release, since: string): boolean {
  return compareReleases(majorMinor(release), since) >= 0;
}
