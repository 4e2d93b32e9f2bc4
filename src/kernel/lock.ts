/** Locks between processes. */
import { BpfError } from "./bpf-error.ts";
import { Errno } from "./errno.ts";
import type { Fd } from "./fd.ts";
import { syscall } from "./ffi.ts";
import { syscallNumbers } from "./syscall-numbers.ts";

/** `LOCK_EX | LOCK_NB`. */
const EXCLUSIVE_NOW = 2 | 4;

/**
 * Takes the exclusive lock of a file or directory (flock(2)). The lock is released when the descriptor is
 * closed or the process ends, for whatever reason.
 * @returns false if another descriptor holds the lock
 * @throws {BpfError}
 */
export function tryLock(file: Fd): boolean {
  const { result, errno } = syscall(syscallNumbers().flock, file.number, EXCLUSIVE_NOW);
  if (result >= 0) return true;
  if (errno === Errno.EAGAIN) return false;
  throw new BpfError("flock", `descriptor ${file.number}`, errno);
}
