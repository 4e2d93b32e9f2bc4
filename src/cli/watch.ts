import { statSync, watch, type FSWatcher } from "node:fs";
import { basename, dirname, resolve } from "node:path";

/** Milliseconds to wait after a change for further ones, since editors save in several steps. */
const QUIET = 60;

/**
 * Runs `work`, and again whenever one of the files that it returns is saved, until the process is interrupted.
 * Watches directories, since editors replace files instead of writing them.
 */
export async function watchFiles(
  work: () => Promise<readonly string[]>,
  onChange: (file: string) => void,
): Promise<never> {
  for (;;) {
    const begun = Date.now();
    const files = await work();
    onChange(files.find((file) => modified(file) > begun) ?? (await nextChange(files)));
  }
}

/** The time of a file's last change in milliseconds; 0 if the file does not exist. */
function modified(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** The first file to be saved, once saving is complete. */
function nextChange(files: readonly string[]): Promise<string> {
  const byDirectory = new Map<string, Set<string>>();
  for (const file of files) {
    const path = resolve(file);
    const names = byDirectory.get(dirname(path)) ?? new Set();
    byDirectory.set(dirname(path), names.add(basename(path)));
  }
  const watchers: FSWatcher[] = [];
  return new Promise<string>((done, fail) => {
    let timer: NodeJS.Timeout | undefined;
    for (const [directory, names] of byDirectory) {
      const watcher = watch(directory, (_, name) => {
        if (name === null || !names.has(name)) return;
        clearTimeout(timer);
        timer = setTimeout(() => done(resolve(directory, name)), QUIET);
      });
      watchers.push(watcher.on("error", fail));
    }
  }).finally(() => watchers.forEach((watcher) => watcher.close()));
}
