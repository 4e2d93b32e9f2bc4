import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** Made when a build starts, and moved to this name when it has succeeded. */
const STAMP = "dist/.built";

/**
 * Why a checkout's `dist` cannot be trusted to be what its sources say, in a
 * few words; undefined where it can, and in an installed package, which is no
 * checkout. Compares times of modification, directories' included, so that
 * a file that was deleted counts as a change.
 *
 * @param directory of the package
 */
export function outdatedBuild(directory: string): string | undefined {
  if (modified(directory, "tsconfig.build.json") === undefined) return undefined;
  const built = modified(directory, STAMP);
  if (built === undefined) return "it is not complete";
  const changed = changedSince(directory, "src", built) ?? changedSince(directory, "programs", built);
  return changed && `${changed} has changed since`;
}

/** Folders that are not built. */
const SKIPPED = new Set(["testing", "testdata", "fuzz", "snapshots"]);

function changedSince(directory: string, folder: string, time: number): string | undefined {
  if (modified(directory, folder)! > time) return folder;
  for (const entry of readdirSync(join(directory, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      const found = SKIPPED.has(entry.name) ? undefined : changedSince(directory, path, time);
      if (found !== undefined) return found;
    } else if (path.endsWith(".ts") && !path.endsWith(".test.ts") && modified(directory, path)! > time) {
      return path;
    }
  }
  return undefined;
}

function modified(directory: string, path: string): number | undefined {
  return statSync(join(directory, path), { throwIfNoEntry: false })?.mtimeMs;
}
