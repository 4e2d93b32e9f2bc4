/**
 * Kernel versions. They are only ever compared: whether a kernel has a feature
 * is found out by a probe, and the version says whether it should have.
 */

/** `"6.12"`, `"6.12.117"` or a whole release such as `"6.12.117+deb13-amd64"`. */
export type Release = string;

/**
 * The numbers that a release begins with: `[6, 12, 117]`.
 *
 * @throws {RangeError} where the text does not begin with at least `major.minor`.
 */
export function versionNumbers(release: Release): number[] {
  const match = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(release);
  if (match === null)
    throw new RangeError(`${JSON.stringify(release)} is no kernel version: it begins with major.minor, such as 6.12`);
  return match
    .slice(1)
    .filter((part) => part !== undefined)
    .map(Number);
}

/** `"6.12"` of `"6.12.117+deb13-amd64"`: the part that a feature is dated by. */
export function majorMinor(release: Release): string {
  return versionNumbers(release).slice(0, 2).join(".");
}

/**
 * Less than, equal to or greater than zero, as `a` is older than, as old as or
 * newer than `b`. All numbers count, those of the distribution's suffix as well,
 * so `5.10.0-32` is newer than `5.10.0-30`.
 */
export function compareReleases(a: Release, b: Release): number {
  const [left, right] = [a, b].map((release) => release.match(/\d+/g)?.map(Number) ?? []) as [number[], number[]];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Whether `release` is of the version `since` (major.minor) or newer. */
export function isAtLeast(release: Release, since: string): boolean {
  return compareReleases(majorMinor(release), since) >= 0;
}
