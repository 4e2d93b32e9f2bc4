/** Signals of profilers. */
import { BpfError } from "./bpf-error.ts";
import { addressOf, syscall } from "./ffi.ts";
import { syscallNumbers } from "./syscall-numbers.ts";

/** `SIG_BLOCK`, `SIG_SETMASK`. */
const BLOCK = 0;
const SET_MASK = 2;
/** `SIGPROF`, the same number on x64 and arm64. */
const SIGPROF = 27;

/**
 * Runs `work` while SIGPROF waits for this thread (sigprocmask(2)). A sampling profiler (`node --cpu-prof`) sends it a
 * thousand times a second, and a long system call that ends with EAGAIN upon a signal would never succeed.
 * @throws {BpfError} if the kernel refuses, and whatever `work` throws
 */
export function withoutProfiler<T>(work: () => T): T {
  const before = Buffer.alloc(8);
  const set = Buffer.alloc(8);
  set.writeBigUInt64LE(1n << BigInt(SIGPROF - 1));
  changeMask(BLOCK, set, before);
  try {
    return work();
  } finally {
    changeMask(SET_MASK, before);
  }
}

function changeMask(how: number, set: Buffer, before?: Buffer): void {
  const old = before === undefined ? 0 : addressOf(before);
  const { result, errno } = syscall(syscallNumbers().rt_sigprocmask, how, addressOf(set), old, set.length);
  if (result < 0) throw new BpfError("rt_sigprocmask", "signal mask", errno);
}
