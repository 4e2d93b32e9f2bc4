import { statSync, watch, type FSWatcher } from "node:fs";
import { basename, dirname, resolve } from "node:path";

/** Milliseconds without a further change before work begins: an editor saves in several steps. */
const QUIET = 60;

/**
 * Does `work`, and does it again whenever one of the files that it says it
 * depends on is saved, until the process is interrupted. Directories are
 * watched, since editors replace files rather than write them.
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

/** When a file was last written, in milliseconds; never, if it is not there. */
function modified(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** The first of the files that is saved, once saving has come to rest. */
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
