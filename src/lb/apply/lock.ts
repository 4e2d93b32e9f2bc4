/** One command at a time: two that change the same pins would undo each other's work. */
import { fstatSync, statSync } from "node:fs";
import { openDirectory, tryLock } from "../../kernel/index.ts";
import { LoadBalancerError } from "../model/error.ts";

/** Milliseconds. */
const PATIENCE = 30_000;
const PAUSE = 20;

/**
 * Runs `work` while no other process holds the lock of a directory. The lock
 * goes with the process, however that ends.
 *
 * @param find gives the directory's path, or undefined where there is none; asked
 *   again where the directory was taken away while we waited
 * @throws {LoadBalancerError} where another process does not let go of it
 */
export async function exclusively<T>(
  find: () => string | undefined,
  work: (directory: string | undefined) => T | Promise<T>,
): Promise<T> {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const directory = find();
    if (directory === undefined) return work(undefined);
    const lock = openDirectory(directory);
    try {
      if (tryLock(lock)) {
        if (statSync(directory, { throwIfNoEntry: false })?.ino === fstatSync(lock.number).ino)
          return await work(directory);
        continue;
      }
    } finally {
      lock.close();
    }
    if (Date.now() > deadline) {
      throw new LoadBalancerError(`${directory} has been in use by another command for ${PATIENCE / 1000} seconds`, {
        hint: "wait for it to end, and run this one again",
      });
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}
