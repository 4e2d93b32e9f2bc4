/** A lock on a directory: two processes that change the same pins would undo each other's work. */
import { fstatSync, statSync } from "node:fs";
import { openDirectory, tryLock } from "../../kernel/index.ts";
import { LoadBalancerError } from "../model/index.ts";

/** Waiting time for the lock, and between attempts, in milliseconds. */
const PATIENCE = 30_000;
const PAUSE = 20;

/**
 * Runs `work` with the lock of a directory. The lock ends with the process,
 * even a killed one.
 *
 * @param find returns the directory's path, or undefined if there is none;
 *   called again if the directory is removed meanwhile
 * @throws {LoadBalancerError} if another process keeps the lock for 30 seconds
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
      throw new LoadBalancerError(
        `cannot lock ${directory}: another command has used it for ${PATIENCE / 1000} seconds`,
        {
          hint: "wait for it to end and run this command again",
        },
      );
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}
