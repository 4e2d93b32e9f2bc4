import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { linux, type Kernel } from "../../kernel/index.ts";
import { cgroupRoot } from "../../loader/index.ts";

/**
 * The directory of a cgroup by its id, the directory's inode number. Undefined
 * if it is gone or not visible to this process. Walks the hierarchy level by
 * level.
 */
export function cgroupPath(id: bigint, kernel: Kernel = linux): string | undefined {
  let level = kernel
    .mounts()
    .filter(({ type }) => type === "cgroup2")
    .map(({ directory }) => directory);
  while (level.length > 0) {
    const next: string[] = [];
    for (const directory of level) {
      try {
        if (statSync(directory, { bigint: true }).ino === id) return directory;
        for (const entry of readdirSync(directory, { withFileTypes: true }))
          if (entry.isDirectory()) next.push(join(directory, entry.name));
      } catch {
        // Cgroups come and go during the walk.
      }
    }
    level = next;
  }
  return undefined;
}

/**
 * The directory of this process's cgroup (cgroups(7)), or the topmost visible
 * one if it lies outside of the mount.
 * @throws {LoaderError} if cgroup v2 is not mounted
 */
export function ownCgroup(kernel: Kernel = linux): string {
  const root = cgroupRoot(kernel);
  const [, path = "/"] = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8")) ?? [];
  const directory = join(root, path);
  return directory.startsWith(root) && existsSync(directory) ? directory : root;
}
