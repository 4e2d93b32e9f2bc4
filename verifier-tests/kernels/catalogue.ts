/** The available kernels, and the selection by `--kernel`. */
import { compareReleases, majorMinor, type Release } from "../release.ts";
import { UsageError } from "../../src/cli/errors.ts";

/** The tested suites: each Debian release since the one with 5.10, the oldest supported kernel, and their backports. */
export const suites = ["bullseye", "bookworm", "bookworm-backports", "trixie", "trixie-backports"] as const;

/** A kernel of the distribution and its packages. */
export interface KernelPackages {
  /** The output of `uname -r`. */
  readonly release: Release;
  readonly packages: readonly string[];
}

/** A POSIX regular expression for package names. */
export const kernelPackagePattern = "^linux-(image|binary|modules|base)-[0-9].*-amd64$";

/**
 * The newest kernel of each major.minor, oldest first. Excludes cloud kernels, which lack the 9p file system of
 * the guest's root, and real-time and debug kernels. Since 6.19 a kernel is split into several packages, and
 * counts only if all are present.
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

/** A kernel to boot: a packaged one or an image file. */
export type KernelChoice =
  | { readonly kind: "packaged"; readonly kernel: KernelPackages }
  | { readonly kind: "image"; readonly path: string };

/**
 * The kernels that a `--kernel` argument selects.
 *
 * @param text Separated by commas: a version (`6.12`), `oldest`, `newest`, `all`, or the path of a kernel
 * image.
 * @throws {UsageError} for an unavailable version; the message lists the available ones.
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
  if (choices.length === 0) throw new UsageError("--kernel is empty", { hint: hint(available) });
  const identity = (choice: KernelChoice) => (choice.kind === "image" ? choice.path : choice.kernel.release);
  return choices.filter((choice, i) => choices.findIndex((other) => identity(other) === identity(choice)) === i);
}

function pick(part: string, available: readonly KernelPackages[]): readonly KernelPackages[] {
  if (part === "all") return available;
  if (part === "oldest" && available.length > 0) return available.slice(0, 1);
  if (part === "newest" && available.length > 0) return available.slice(-1);
  const found = available.filter(({ release }) => release === part || majorMinor(release) === part);
  if (found.length === 0) throw new UsageError(`cannot find kernel ${JSON.stringify(part)}`, { hint: hint(available) });
  return found;
}

function hint(available: readonly KernelPackages[]): string {
  const versions = available.map(({ release }) => majorMinor(release)).join(", ");
  return `available: ${versions}, oldest, newest, all, or the path of a kernel image`;
}
