import { addressOf, syscall } from "./ffi.ts";
import { syscallNumbers } from "./syscall-numbers.ts";

const RLIMIT_MEMLOCK = 8;
const RLIM_INFINITY = 0xffff_ffff_ffff_ffffn;

let tried = false;

/**
 * Lifts this process's limit of locked memory, once. Before Linux 5.11 maps and
 * programs count against it, and the default of 64 KiB is soon used up; from
 * 5.11 on they are charged to the memory cgroup, and it does not matter.
 *
 * @returns whether it was lifted by this call, so that a refused command is worth another try
 */
export function raiseMemoryLock(): boolean {
  if (tried) return false;
  tried = true;
  const limits = new BigUint64Array([RLIM_INFINITY, RLIM_INFINITY]);
  const bytes = new Uint8Array(limits.buffer);
  return syscall(syscallNumbers().prlimit64, 0, RLIMIT_MEMLOCK, addressOf(bytes), 0).result === 0;
}
