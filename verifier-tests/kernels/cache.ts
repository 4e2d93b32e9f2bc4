/** Kernels from the distribution's packages, unpacked but not installed, in a directory that git ignores. */
import { unlinkSync } from "node:fs";
import {
  copyFile,
  lstat,
  mkdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  unlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CommandError } from "../../src/cli/errors.ts";
import { packageLists, type PackageLists } from "./apt.ts";
import { availableKernels, kernelPackagePattern, suites, type KernelPackages } from "./catalogue.ts";
import type { Release } from "../release.ts";
import { run } from "./run.ts";

/** The directory of everything downloaded or built for the guests. */
export const cacheDirectory = join(dirname(fileURLToPath(import.meta.url)), "..", "..", ".cache", "kernels");

const catalogueFile = join(cacheDirectory, "catalogue.json");
const catalogueLifetimeMs = 7 * 24 * 60 * 60 * 1000;

/** The package lists of all suites with kernels. */
export const kernelLists = (): Promise<PackageLists> => packageLists(join(cacheDirectory, "apt"), suites);

/**
 * The available kernels. The list is cached for a week, so that a run with unpacked kernels needs no network.
 *
 * @param options.refresh Read the package lists even if the cache is fresh.
 */
export async function readCatalogue(options: { refresh?: boolean } = {}): Promise<KernelPackages[]> {
  const age = await stat(catalogueFile).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => Infinity,
  );
  if (!options.refresh && age < catalogueLifetimeMs)
    return JSON.parse(await readFile(catalogueFile, "utf8")) as KernelPackages[];
  const lists = await kernelLists();
  await lists.update();
  const kernels = availableKernels(await lists.search(kernelPackagePattern));
  if (kernels.length === 0) {
    throw new CommandError(`cannot find kernels: the package lists of ${suites.join(", ")} have none`, {
      hint: "check that `apt-get update` works on this machine",
    });
  }
  await mkdir(cacheDirectory, { recursive: true });
  await writeFile(catalogueFile, `${JSON.stringify(kernels, null, 2)}\n`);
  return kernels;
}

/** An unpacked kernel. */
export interface UnpackedKernel {
  readonly release: Release;
  /** The image to boot. */
  readonly image: string;
  /** Its modules. */
  readonly modules: string;
}

/**
 * Downloads and unpacks a kernel, unless already done.
 *
 * @param progress Receives each step in a few words.
 */
export async function unpackKernel(kernel: KernelPackages, progress: (step: string) => void): Promise<UnpackedKernel> {
  const { release } = kernel;
  const root = join(cacheDirectory, release);
  const unpacked: UnpackedKernel = {
    release,
    image: join(root, "boot", `vmlinuz-${release}`),
    modules: join(root, "lib", "modules", release),
  };
  // The directory is renamed once complete; see the end of this function.
  if (await exists(root)) return unpacked;

  const work = `${root}.partial`;
  await rm(work, { recursive: true, force: true });
  const tree = join(work, "root");
  await mkdir(tree, { recursive: true });
  progress("downloading");
  const files = await download(kernel, join(work, "debs"));
  progress("unpacking");
  for (const file of files) await run("dpkg", ["-x", file, tree]);

  // Split packages keep image and modules under /usr.
  if (!(await exists(join(tree, "lib")))) await symlink("usr/lib", join(tree, "lib"));
  const image = join(tree, "boot", `vmlinuz-${release}`);
  if (!(await exists(image))) {
    await mkdir(dirname(image), { recursive: true });
    await copyFile(join(tree, "usr", "lib", "modules", release, "vmlinuz"), image);
  }
  await run("depmod", ["--basedir", tree, release]);
  await rename(tree, root);
  await rm(work, { recursive: true, force: true });
  return unpacked;
}

async function download({ release, packages }: KernelPackages, to: string): Promise<string[]> {
  try {
    return await (await kernelLists()).download(packages, to);
  } catch (cause) {
    throw new CommandError(
      `cannot download kernel ${release}: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        hint: "a newer kernel may have replaced it: run the command again with --refresh",
        cause,
      },
    );
  }
}

/**
 * Makes the kernel's modules visible to the guest, whose root is the machine's, while `during` runs.
 *
 * @throws {CommandError} if /lib/modules is not writable.
 */
export async function withModules<T>(kernel: UnpackedKernel, during: () => Promise<T>): Promise<T> {
  const link = join("/lib/modules", kernel.release);
  // A link left by a killed run is ours to replace.
  if (await isLinkInto(link, cacheDirectory)) await unlink(link);
  if (await exists(link)) return during();
  try {
    await mkdir(dirname(link), { recursive: true });
    await symlink(kernel.modules, link);
  } catch (cause) {
    throw new CommandError(
      `cannot link the modules of kernel ${kernel.release} to ${link}: ` +
        `${cause instanceof Error ? cause.message : String(cause)}`,
      {
        hint: "run the command as root, or give --kernel the path of a kernel image",
        cause,
      },
    );
  }
  const remove = () => unlinkSync(link);
  process.once("exit", remove);
  try {
    return await during();
  } finally {
    process.removeListener("exit", remove);
    remove();
  }
}

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

async function isLinkInto(path: string, directory: string): Promise<boolean> {
  return readlink(path).then(
    (target) => target.startsWith(`${directory}/`),
    () => false,
  );
}
