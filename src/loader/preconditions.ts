/** Checks to make before changing anything. */
import { Capability, linux, type Fd, type Kernel } from "../kernel/index.ts";
import { LoaderError } from "./error.ts";

/**
 * Checks that this is Linux and that the process may load and attach programs.
 * @throws {LoaderError}
 * @example
 * ```ts
 * import { LoaderError } from "tsbpf";
 * import { checkHost } from "tsbpf/kernel";
 *
 * try {
 *   checkHost();
 * } catch (error) {
 *   if (!(error instanceof LoaderError)) throw error;
 *   console.error(error.message, error.hint);
 * }
 * ```
 */
export function checkHost(kernel: Kernel = linux, platform: NodeJS.Platform = process.platform): void {
  checkPlatform(platform);
  requireCapabilities(kernel, ["BPF", "NET_ADMIN", "PERFMON"], "load BPF programs");
}

function checkPlatform(platform: NodeJS.Platform): void {
  if (platform === "linux") return;
  throw new LoaderError(`cannot load BPF programs on ${platform}: they need Linux`, {
    hint: "programs can be built, listed and simulated here; load them on Linux, or in a Linux virtual machine",
  });
}

/** @throws {LoaderError} naming what is missing; CAP_SYS_ADMIN stands for the other capabilities */
function requireCapabilities(kernel: Kernel, needed: readonly (keyof typeof Capability)[], what: string): void {
  const held = kernel.capabilities();
  const has = (name: keyof typeof Capability) => (held & (1n << BigInt(Capability[name]))) !== 0n;
  if (has("SYS_ADMIN")) return;
  const missing = needed.filter((name) => !has(name));
  if (missing.length === 0) return;
  throw new LoaderError(`cannot ${what}: this process is not root and lacks ${capabilityNames(missing, ", ")}`, {
    hint: `run it as root (sudo), or give it ${capabilityNames(needed, " and ")}`,
  });
}

function capabilityNames(capabilities: readonly string[], last: string): string {
  const names = capabilities.map((name) => `CAP_${name}`);
  return names.length === 1 ? names[0]! : `${names.slice(0, -1).join(", ")}${last}${names.at(-1)}`;
}

/**
 * Like `checkHost`, and checks that the process may open programs, maps and links by id, which managing those
 * of an earlier process requires.
 * @throws {LoaderError}
 */
export function checkManager(kernel: Kernel = linux, platform: NodeJS.Platform = process.platform): void {
  checkPlatform(platform);
  const needed = ["BPF", "NET_ADMIN", "PERFMON", "SYS_ADMIN"] as const;
  requireCapabilities(kernel, needed, "load BPF programs and look up loaded ones");
}

/**
 * The path of the root of the cgroup v2 hierarchy.
 * @throws {LoaderError} if none is mounted
 * @example
 * ```ts
 * import { mkdirSync } from "node:fs";
 * import { cgroupRoot } from "tsbpf/kernel";
 *
 * mkdirSync(`${cgroupRoot()}/my-service`);
 * ```
 */
export function cgroupRoot(kernel: Kernel = linux): string {
  const mount = kernel.mounts().find(({ type }) => type === "cgroup2");
  if (mount) return mount.directory;
  throw new LoaderError("cannot find the cgroup root: no cgroup v2 hierarchy is mounted", {
    hint: "mount one: mkdir -p /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup",
  });
}

/**
 * Opens a cgroup's directory.
 * @throws {LoaderError} if the path is absent, not a directory, or not on cgroup v2
 * @example
 * ```ts
 * import { openCgroup } from "tsbpf/kernel";
 *
 * using cgroup = openCgroup("/sys/fs/cgroup/my-service");
 * ```
 */
export function openCgroup(path: string, kernel: Kernel = linux): Fd {
  let fd: Fd;
  try {
    fd = kernel.openDirectory(path);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const why =
      code === "ENOENT" ? "no such directory" : code === "ENOTDIR" ? "not a directory" : (cause as Error).message;
    throw new LoaderError(`cannot open cgroup ${path}: ${why}`, {
      hint: `cgroups are directories below ${rootText(kernel)}; mkdir makes one`,
      cause,
    });
  }
  if (kernel.isOnFileSystem(path, "cgroup2")) return fd;
  fd.close();
  throw new LoaderError(`cannot open cgroup ${path}: it is not in a cgroup v2 hierarchy`, {
    hint: `cgroups are directories below ${rootText(kernel)}`,
  });
}

function rootText(kernel: Kernel): string {
  return (
    kernel.mounts().find(({ type }) => type === "cgroup2")?.directory ??
    "a mount of type cgroup2, and none is mounted yet"
  );
}
