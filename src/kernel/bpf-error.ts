import { Errno, errnoName } from "./errno.ts";

/** The kernel refused a `bpf(2)` command, or another system call named by `command`. */
export class BpfError extends Error {
  override readonly name: string = "BpfError";
  /** The command: `BPF_MAP_CREATE`, … */
  readonly command: string;
  /** The object of the command: `map services`, `program connect4`. */
  readonly subject: string;
  /** Linux's error number, positive. */
  readonly errno: number;
  /** `EPERM`, … */
  readonly code: string;
  /** The likely cause and what to do, if known. */
  readonly hint: string | undefined;

  constructor(
    command: string,
    subject: string,
    errno: number,
    options: { reason?: string; hint?: string | undefined; cause?: unknown } = {},
  ) {
    const code = errnoName(errno);
    const reason = options.reason ?? meanings[code];
    super(`${subject}: ${command} failed with ${code}${reason === undefined ? "" : `: ${reason}`}`, {
      cause: options.cause,
    });
    this.command = command;
    this.subject = subject;
    this.errno = errno;
    this.code = code;
    this.hint = "hint" in options ? options.hint : hintFor(command, errno);
  }
}

const meanings: Readonly<Record<string, string>> = {
  EPERM: "not permitted",
  ENOENT: "not found",
  EAGAIN: "interrupted, or temporarily unavailable",
  E2BIG: "too big",
  EACCES: "access denied",
  EBUSY: "busy",
  EEXIST: "it already exists",
  EINVAL: "the kernel rejects these arguments",
  ENOSPC: "no room left",
  ENOMEM: "out of memory",
  EMFILE: "too many open files",
  ENOTSUPP: "not supported by this kernel for this type",
  EOPNOTSUPP: "not supported",
  ENOSYS: "this kernel has no bpf() system call",
  EBADF: "not a usable file descriptor",
};

/** Listing objects and opening them by id. */
const BY_ID = {
  [Errno.EPERM]: "run as root, or with CAP_SYS_ADMIN, which finding objects by id requires",
};

/** Hints by command (without `BPF_`); those under `*` apply to all commands. */
const hints: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  "*": {
    [Errno.EPERM]:
      "run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON; " +
      "a container must be granted these, and its seccomp profile must allow bpf()",
    [Errno.ENOMEM]: "the machine, or this process's memory cgroup, has no memory left for BPF objects",
    [Errno.ENOSYS]: "the kernel was built without CONFIG_BPF_SYSCALL",
    [Errno.EMFILE]: "raise the limit on open files (ulimit -n)",
  },
  MAP_CREATE: {
    [Errno.EINVAL]:
      "the kernel does not know this map type or flag, or does not allow this size " +
      "(an array's key has 4 bytes; a ring buffer's size is a power of two and whole pages)",
    [Errno.E2BIG]: "the map would be too large: lower maxEntries or the value's size",
    [Errno.ENOTSUPP]: "this map type needs BTF for its key and value, or is not supported by this kernel",
  },
  MAP_UPDATE_ELEM: {
    [Errno.E2BIG]: "the map is full, or the index is outside the array: raise maxEntries",
    [Errno.ENOSPC]: "the map is full: raise maxEntries",
    [Errno.EEXIST]: "the flag NOEXIST requires that the key be absent",
    [Errno.ENOENT]: "the flag EXIST requires that the key be present",
    [Errno.EPERM]: "the map is frozen, or was opened read-only",
  },
  MAP_DELETE_ELEM: {
    [Errno.EINVAL]: "elements of an array cannot be deleted",
  },
  PROG_LOAD: {
    [Errno.EINVAL]:
      "the kernel does not know this program type or attach type, the two do not match, " +
      "or the kernel lacks an option they need (CONFIG_CGROUP_BPF for cgroup programs)",
    [Errno.E2BIG]:
      "the program has too many instructions for this user or kernel (1,000,000, or 4,096 without CAP_BPF)",
    [Errno.EACCES]: "the verifier refused the program",
    [Errno.EAGAIN]: "signals to this process interrupted the verifier five times: run it without a profiler or timer",
  },
  PROG_TEST_RUN: {
    [Errno.ENOTSUPP]: "the kernel cannot test-run this program type: use the simulator, or real sockets",
    [Errno.EINVAL]:
      "the input is too short for this program type (a packet has at least 14 bytes), or the context is not valid",
  },
  LINK_CREATE: {
    [Errno.EINVAL]:
      "the program was loaded for another attach type, or this kernel lacks links for it (cgroup links: Linux 5.7)",
    [Errno.EBADF]: "the target is not an open cgroup v2 directory",
    [Errno.EPERM]: "a program attached here or above forbids others, or privileges are missing (CAP_NET_ADMIN)",
    [Errno.E2BIG]: "this cgroup already has 64 programs on this hook",
  },
  LINK_UPDATE: {
    [Errno.EINVAL]: "the new program has another type than the one it replaces",
    [Errno.EPERM]: "the link no longer runs the expected program: somebody else replaced it",
    [Errno.ENOLINK]: "the link's cgroup is gone",
  },
  PROG_GET_FD_BY_ID: BY_ID,
  MAP_GET_FD_BY_ID: BY_ID,
  BTF_GET_FD_BY_ID: BY_ID,
  LINK_GET_FD_BY_ID: BY_ID,
  PROG_GET_NEXT_ID: BY_ID,
  MAP_GET_NEXT_ID: BY_ID,
  BTF_GET_NEXT_ID: BY_ID,
  LINK_GET_NEXT_ID: BY_ID,
  OBJ_PIN: {
    [Errno.EEXIST]: "this name is already taken by another pin",
    [Errno.EINVAL]: "the path is not on a BPF file system: mount -t bpf -o mode=0700 bpf /sys/fs/bpf",
    [Errno.EPERM]: "the path is not on a BPF file system, or privileges are missing",
    [Errno.ENOENT]: "the directory does not exist",
  },
  OBJ_GET: {
    [Errno.ENOENT]: "nothing is pinned at this path",
    [Errno.EACCES]: "this path is not a pinned BPF object, or this user may not read it",
  },
  BTF_LOAD: {
    [Errno.EINVAL]: "the BTF has a kind of type that this kernel does not support",
  },
};

function hintFor(command: string, errno: number): string | undefined {
  return hints[command.replace(/^BPF_/, "")]?.[errno] ?? hints["*"]![errno];
}
