import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { linux, type Kernel } from "../kernel/index.ts";

/**
 * The directory of a cgroup by its id, which is the directory's inode number;
 * undefined where it is gone, or outside of what this process sees. Walks
 * through the hierarchy, level by level.
 */
export function cgroupPath(id: bigint, kernel: Kernel = linux): string | undefined {
  let level = kernel.mounts().filter(({ type }) => type === "cgroup2").map(({ directory }) => directory);
  while (level.length > 0) {
    const next: string[] = [];
    for (const directory of level) {
      try {
        if (statSync(directory, { bigint: true }).ino === id) return directory;
        for (const entry of readdirSync(directory, { withFileTypes: true })) if (entry.isDirectory()) next.push(join(directory, entry.name));
      } catch {
        // Cgroups come and go while we look.
      }
    }
    level = next;
  }
  return undefined;
}
