interface SyscallNumbers {
  readonly bpf: number;
  readonly mount: number;
  readonly umount2: number;
  readonly prlimit64: number;
  readonly mmap: number;
  readonly munmap: number;
  readonly flock: number;
  readonly socket: number;
  readonly sendto: number;
  readonly recvfrom: number;
  readonly getsockopt: number;
  readonly setns: number;
  readonly rt_sigprocmask: number;
}

/** asm/unistd_64.h and asm-generic/unistd.h. */
const numbers: Readonly<Partial<Record<NodeJS.Architecture, SyscallNumbers>>> = {
  x64: {
    bpf: 321,
    mount: 165,
    umount2: 166,
    prlimit64: 302,
    mmap: 9,
    munmap: 11,
    flock: 73,
    socket: 41,
    sendto: 44,
    recvfrom: 45,
    getsockopt: 55,
    setns: 308,
    rt_sigprocmask: 14,
  },
  arm64: {
    bpf: 280,
    mount: 40,
    umount2: 39,
    prlimit64: 261,
    mmap: 222,
    munmap: 215,
    flock: 32,
    socket: 198,
    sendto: 206,
    recvfrom: 207,
    getsockopt: 209,
    setns: 268,
    rt_sigprocmask: 135,
  },
};

/** This machine lacks the system calls that BPF needs. */
export class UnsupportedPlatformError extends Error {
  override readonly name = "UnsupportedPlatformError";
  readonly hint =
    "programs can be built, listed and simulated here; " +
    "load them on Linux (x64 or arm64), or in a Linux virtual machine";
}

/**
 * The system call numbers of this machine.
 * @throws {UnsupportedPlatformError} unless it runs Linux on x64 or arm64
 */
export function syscallNumbers(): SyscallNumbers {
  if (process.platform !== "linux")
    throw new UnsupportedPlatformError(`cannot load BPF programs on ${process.platform}: they need Linux`);
  const found = numbers[process.arch];
  if (found === undefined)
    throw new UnsupportedPlatformError(`cannot load BPF programs on ${process.arch}: only x64 and arm64 are supported`);
  return found;
}
