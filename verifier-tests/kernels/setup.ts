/** What booting kernels needs on this machine: vng, qemu and a few small tools. */
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { CommandError } from "../../src/cli/errors.ts";
import { cacheDirectory, kernelLists } from "./cache.ts";
import { run } from "./run.ts";

/** Each command that is needed, and the Debian package that has it. */
const tools: Readonly<Record<string, string>> = {
  vng: "virtme-ng",
  "qemu-system-x86_64": "qemu-system-x86",
  depmod: "kmod",
  // For the initial file system that loads the modules the root is mounted by.
  busybox: "busybox-static",
  // Names the guest's ports, by which the command's output gets out.
  "systemd-udevd": "udev",
  file: "file",
  // Brings the guest's network up.
  ip: "iproute2",
};

/**
 * Installs what is missing, as root on Debian.
 *
 * virtme-ng is packaged from trixie on; its package installs on bookworm too,
 * with dependencies from there, and is fetched like the kernels.
 *
 * @param progress Told what is being done, in a few words.
 * @throws {CommandError} where something is missing and cannot be installed from here; it says what to install.
 */
export async function installTools(progress: (step: string) => void): Promise<void> {
  const missing = await missingTools();
  if (missing.length === 0) return;
  const packages = missing.map((tool) => tools[tool]!);
  if (process.getuid?.() !== 0) {
    throw new CommandError(`missing on this machine: ${missing.join(", ")}`, {
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
    throw new CommandError(`installed ${packages.join(", ")}, and ${stillMissing.join(", ")} is still not to be found`);
}

/** The commands of `tools` that are not on the path. */
export async function missingTools(): Promise<string[]> {
  const found = await Promise.all(Object.keys(tools).map(isInstalled));
  return Object.keys(tools).filter((_, i) => !found[i]);
}

async function isInstalled(command: string): Promise<boolean> {
  // A user's path may lack the directories of the administrator's commands and of the daemons.
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
