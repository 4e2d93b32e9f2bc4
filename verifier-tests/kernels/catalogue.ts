/** Which kernels can be had, and which of them a `--kernel` argument means. */
import { compareReleases, majorMinor, type Release } from "../release.ts";
import { UsageError } from "../../src/cli/errors.ts";

/**
 * The suites whose kernels are tested: each Debian release since the one with
 * 5.10, the oldest kernel that is supported, and the newer kernels built for them.
 */
export const suites = ["bullseye", "bookworm", "bookworm-backports", "trixie", "trixie-backports"] as const;

/** A kernel of the distribution, and the packages that it consists of. */
export interface KernelPackages {
  /** What `uname -r` prints under it. */
  readonly release: Release;
  readonly packages: readonly string[];
}

/** What to search package names for, as a POSIX regular expression. */
export const kernelPackagePattern = "^linux-(image|binary|modules|base)-[0-9].*-amd64$";

/**
 * The newest kernel of each major.minor, oldest first. Kernels for cloud
 * machines lack the 9p file system that the guest's root is mounted by, and
 * real-time and debug builds are not what people run; they are left out.
 * From 6.19 on a kernel is split into several packages, and counts only when
 * all of them are there.
 *
 * @param names Package names, as found with `kernelPackagePattern`.
 */
export function availableKernels(names: readonly string[]): KernelPackages[] {
  const present = new Set(names);
  const newest = new Map<string, KernelPackages>();
  for (const name of names) {
    const release = /^linux-image-(\d.*-amd64)$/.exec(name)?.[1];
    if (release === undefined || /-(rt|cloud|dbg|unsigned)\b/.test(release)) continue;
    const split = [`linux-binary-${release}`, `linux-modules-${release}`, `linux-base-${release}`];
    const packages = present.has(split[0]!) ? split : [name];
    if (!packages.every((part) => present.has(part))) continue;
    const known = newest.get(majorMinor(release));
    if (known === undefined || compareReleases(release, known.release) > 0)
      newest.set(majorMinor(release), { release, packages });
  }
  return [...newest.values()].sort((a, b) => compareReleases(a.release, b.release));
}

/** A kernel to boot: one of the distribution's, or an image file. */
export type KernelChoice =
  | { readonly kind: "packaged"; readonly kernel: KernelPackages }
  | { readonly kind: "image"; readonly path: string };

/**
 * The kernels that a `--kernel` argument means.
 *
 * @param text Separated by commas: a version (`6.12`), `oldest`, `newest`, `all`, or the path of a kernel image.
 * @throws {UsageError} where a version is not to be had; the message lists those that are.
 */
export function chooseKernels(text: string, available: readonly KernelPackages[]): KernelChoice[] {
  const choices = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .flatMap((part): KernelChoice[] => {
      if (part.includes("/")) return [{ kind: "image", path: part }];
      return pick(part, available).map((kernel) => ({ kind: "packaged", kernel }));
    });
  if (choices.length === 0) throw new UsageError("--kernel names no kernel", { hint: hint(available) });
  const identity = (choice: KernelChoice) => (choice.kind === "image" ? choice.path : choice.kernel.release);
  return choices.filter((choice, i) => choices.findIndex((other) => identity(other) === identity(choice)) === i);
}

function pick(part: string, available: readonly KernelPackages[]): readonly KernelPackages[] {
  if (part === "all") return available;
  if (part === "oldest" && available.length > 0) return available.slice(0, 1);
  if (part === "newest" && available.length > 0) return available.slice(-1);
  const found = available.filter(({ release }) => release === part || majorMinor(release) === part);
  if (found.length === 0)
    throw new UsageError(`there is no kernel ${JSON.stringify(part)} to be had`, { hint: hint(available) });
  return found;
}

function hint(available: readonly KernelPackages[]): string {
  return `known are: ${available.map(({ release }) => majorMinor(release)).join(", ")}, oldest, newest, all, or the path of a kernel image`;
}
