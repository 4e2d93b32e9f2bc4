/** The tools for booting kernels on this machine: vng, qemu and a few small ones. */
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { CommandError } from "../../src/cli/errors.ts";
import { cacheDirectory, kernelLists } from "./cache.ts";
import { run } from "./run.ts";

/** The required commands and their Debian packages. */
const tools: Readonly<Record<string, string>> = {
  vng: "virtme-ng",
  "qemu-system-x86_64": "qemu-system-x86",
  depmod: "kmod",
  // For the initial file system, which loads the modules that mount the root.
  busybox: "busybox-static",
  // Names the guest's ports, which carry the command's output.
  "systemd-udevd": "udev",
  file: "file",
  // Brings up the guest's network.
  ip: "iproute2",
};

/**
 * Installs missing tools, as root on Debian.
 *
 * Debian packages virtme-ng since trixie; the package also installs on bookworm with that release's
 * dependencies, and is fetched like the kernels.
 *
 * @param progress Receives each step in a few words.
 * @throws {CommandError} if a tool is missing and cannot be installed here; it says what to install.
 */
export async function installTools(progress: (step: string) => void): Promise<void> {
  const missing = await missingTools();
  if (missing.length === 0) return;
  const packages = missing.map((tool) => tools[tool]!);
  if (process.getuid?.() !== 0) {
    throw new CommandError(`cannot boot kernels: this machine lacks ${missing.join(", ")}`, {
      hint: `install the packages ${packages.join(", ")}, or run this command once as root`,
    });
  }
  progress(`installing ${packages.join(", ")}`);
  const lists = await kernelLists();
  await lists.update();
  await run("apt-get", ["-qq", "update"]);
  const files = packages.includes("virtme-ng")
    ? await lists.download(["virtme-ng"], join(cacheDirectory, "tools"))
    : [];
  await run("apt-get", [
    "-qq",
    "-y",
    "--no-install-recommends",
    "install",
    ...packages.filter((name) => name !== "virtme-ng"),
    ...files,
  ]);
  const stillMissing = await missingTools();
  if (stillMissing.length > 0)
    throw new CommandError(
      `cannot boot kernels: installed ${packages.join(", ")}, but ${stillMissing.join(", ")} is still missing`,
    );
}

/** The commands of `tools` that are missing. */
export async function missingTools(): Promise<string[]> {
  const found = await Promise.all(Object.keys(tools).map(isInstalled));
  return Object.keys(tools).filter((_, i) => !found[i]);
}

async function isInstalled(command: string): Promise<boolean> {
  // A user's path may lack the directories of administration commands and daemons.
  const directories = [
    ...(process.env["PATH"] ?? "").split(delimiter),
    "/usr/sbin",
    "/sbin",
    "/usr/lib/systemd",
    "/lib/systemd",
  ];
  for (const directory of directories) {
    if (
      await access(join(directory, command), constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return true;
  }
  return false;
}
