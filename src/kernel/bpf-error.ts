import { Errno, errnoName } from "./errno.ts";

/** A `bpf(2)` command that the kernel refused. */
export class BpfError extends Error {
  override readonly name: string = "BpfError";
  /** `BPF_MAP_CREATE`, … */
  readonly command: string;
  /** What the command was about: `map services`, `program connect4`. */
  readonly subject: string;
  /** Linux's error number, positive. */
  readonly errno: number;
  /** `EPERM`, … */
  readonly code: string;
  /** What is likely to be wrong and what to do, where that is known. */
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
  E2BIG: "too big",
  EACCES: "access denied",
  EBUSY: "busy",
  EEXIST: "it exists already",
  EINVAL: "the kernel does not take these arguments",
  ENOSPC: "no room left",
  ENOMEM: "out of memory",
  EMFILE: "too many open files",
  ENOTSUPP: "not supported by this kernel for this type",
  EOPNOTSUPP: "not supported",
  ENOSYS: "this kernel has no bpf() system call",
  EBADF: "not a usable file descriptor",
};

/** What to try, by command (less its `BPF_`) or, under `*`, for all of them. */
const hints: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  "*": {
    [Errno.EPERM]:
      "run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON; in a container these have to be granted, and seccomp must let bpf() through",
    [Errno.ENOMEM]: "the machine or the memory cgroup of this process has no memory left for BPF objects",
    [Errno.ENOSYS]: "the kernel was built without CONFIG_BPF_SYSCALL",
    [Errno.EMFILE]: "raise the limit of open files (ulimit -n)",
  },
  MAP_CREATE: {
    [Errno.EINVAL]:
      "the kernel does not know this map type or flag, or a size is not allowed for it (an array's key has 4 bytes, a ring buffer's size is a power of two and whole pages)",
    [Errno.E2BIG]: "the map would be too large: lower maxEntries or the size of the value",
    [Errno.ENOTSUPP]: "this map type needs BTF for its key and value, or is not supported by this kernel",
  },
  MAP_UPDATE_ELEM: {
    [Errno.E2BIG]: "the map is full, or the index lies outside the array: raise maxEntries",
    [Errno.ENOSPC]: "the map is full: raise maxEntries",
    [Errno.EEXIST]: "the flag NOEXIST asks that the key be absent",
    [Errno.ENOENT]: "the flag EXIST asks that the key be there",
    [Errno.EPERM]: "the map is frozen, or was opened for reading only",
  },
  MAP_DELETE_ELEM: {
    [Errno.EINVAL]: "elements of an array cannot be deleted",
  },
  PROG_LOAD: {
    [Errno.EINVAL]:
      "the kernel knows no such program type or attach type, the two do not fit together, or it was built without what they need (CONFIG_CGROUP_BPF for cgroup programs)",
    [Errno.E2BIG]:
      "the program has too many instructions for this user or kernel (1,000,000, or 4,096 without CAP_BPF)",
    [Errno.EACCES]: "the verifier refused the program",
  },
  PROG_TEST_RUN: {
    [Errno.ENOTSUPP]: "the kernel cannot test-run programs of this type: use the simulator, or real sockets",
    [Errno.EINVAL]:
      "the input is too short for this program type (a packet has at least 14 bytes), or its context is not accepted",
  },
  LINK_CREATE: {
    [Errno.EINVAL]:
      "the program was loaded for another attach type, or this kernel has no links for it (cgroup links exist from Linux 5.7 on)",
    [Errno.EBADF]: "the target is not an open cgroup v2 directory",
    [Errno.EPERM]: "a program that is attached here or above forbids others, or privileges are missing (CAP_NET_ADMIN)",
    [Errno.E2BIG]: "64 programs are attached to this hook and cgroup already",
  },
  LINK_UPDATE: {
    [Errno.EINVAL]: "the new program is of another type than the one it replaces",
    [Errno.EPERM]: "the link runs another program than the one expected: somebody else replaced it meanwhile",
    [Errno.ENOLINK]: "the link's cgroup is gone",
  },
  OBJ_PIN: {
    [Errno.EEXIST]: "something is pinned under this name already",
    [Errno.EINVAL]: "the place is not on a BPF file system: mount -t bpf bpf /sys/fs/bpf",
    [Errno.EPERM]: "the place is not on a BPF file system, or privileges are missing",
    [Errno.ENOENT]: "the directory does not exist",
  },
  OBJ_GET: {
    [Errno.ENOENT]: "nothing is pinned there",
    [Errno.EACCES]: "this is no pinned BPF object, or not readable by this user",
  },
  BTF_LOAD: {
    [Errno.EINVAL]: "this kernel does not take some kind of type in it",
  },
};

function hintFor(command: string, errno: number): string | undefined {
  return hints[command.replace(/^BPF_/, "")]?.[errno] ?? hints["*"]![errno];
}
