import { addressOf, syscall } from "./ffi.ts";
import { syscallNumbers } from "./syscall-numbers.ts";

const RLIMIT_MEMLOCK = 8;
const RLIM_INFINITY = 0xffff_ffff_ffff_ffffn;

let tried = false;

/**
 * Lifts this process's limit on locked memory, once. Before Linux 5.11 maps and programs count against it, and
 * the default of 64 KiB is soon used up. Since 5.11 they are charged to the memory cgroup, and the limit has no
 * effect.
 *
 * @returns whether this call lifted the limit, so that a refused command is worth retrying
 */
export function raiseMemoryLock(): boolean {
  if (tried) return false;
  tried = true;
  const limits = new BigUint64Array([RLIM_INFINITY, RLIM_INFINITY]);
  const bytes = new Uint8Array(limits.buffer);
  return syscall(syscallNumbers().prlimit64, 0, RLIMIT_MEMLOCK, addressOf(bytes), 0).result === 0;
}
