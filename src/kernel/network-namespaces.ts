/** Network namespaces: which there are, and doing something in one of them. */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { BpfError } from "./bpf-error.ts";
import { Fd } from "./fd.ts";
import { addressOf, syscall } from "./ffi.ts";
import { syscallNumbers } from "./syscall-numbers.ts";

/**
 * Files that stand for the network namespaces which this process can see, one
 * for each: those of processes, its own among them, and those that are mounted
 * (`ip netns`). One that is only kept alive by a descriptor is not among them.
 */
export function networkNamespaces(): string[] {
  const paths = new Map<string, string>();
  for (const pid of readdirSync("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const path = `/proc/${pid}/ns/net`;
    try {
      const name = readlinkSync(path);
      if (!paths.has(name)) paths.set(name, path);
    } catch {
      // The process has ended, or is none of ours to look into.
    }
  }
  for (const [name, path] of parseMountedNamespaces(readFileSync("/proc/self/mountinfo", "utf8")))
    if (!paths.has(name)) paths.set(name, path);
  return [...paths.values()];
}

/** Network namespaces in the text of /proc/PID/mountinfo (proc(5)): the name, such as `net:[4026531840]`, and the file. */
export function parseMountedNamespaces(text: string): [name: string, path: string][] {
  return text.split("\n").flatMap((line): [string, string][] => {
    const [, , , root = "", directory = ""] = line.split(" ");
    const path = directory.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
    return /^net:\[\d+\]$/.test(root) ? [[root, path]] : [];
  });
}

/** `CLONE_NEWNET` (linux/sched.h). */
const NEW_NETWORK = 0x4000_0000;

/**
 * Does something in a network namespace: a socket that is made there stays of
 * it. Only this thread goes there, and is back when this returns, so `work` must
 * not leave anything for later.
 * @throws {Error} of `fs`, with `code`: ENOENT where the namespace is gone
 * @throws {BpfError} where it may not be entered
 */
export function inNetworkNamespace<T>(path: string, work: () => T): T {
  const own = openSync("/proc/thread-self/ns/net", "r");
  try {
    const other = openSync(path, "r");
    try {
      enter(other, path);
    } finally {
      closeSync(other);
    }
    try {
      return work();
    } finally {
      enter(own, "the network namespace of this process");
    }
  } finally {
    closeSync(own);
  }
}

/** `SOL_SOCKET`, `SO_NETNS_COOKIE` (asm-generic/socket.h). */
const SOCKET_LEVEL = 1;
const NETNS_COOKIE = 71;

/** The number of a socket's network namespace, as programs get it from bpf_get_netns_cookie; undefined before Linux 5.14. */
export function namespaceCookieOf(socket: Fd): bigint | undefined {
  const cookie = Buffer.alloc(8);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(cookie.length);
  const { result } = syscall(
    syscallNumbers().getsockopt,
    socket.number,
    SOCKET_LEVEL,
    NETNS_COOKIE,
    addressOf(cookie),
    addressOf(length),
  );
  return result < 0 ? undefined : cookie.readBigUInt64LE();
}

/** `AF_INET`; `SOCK_DGRAM` and `SOCK_RAW`, with `SOCK_CLOEXEC`. */
const INET = 2;
const DATAGRAM = 2 | 0o2000000;
const RAW = 3 | 0o2000000;

/**
 * Does something with an IPv4 socket of the network namespace that this thread is in.
 * @param protocol IP protocol number of a raw socket; absent: a UDP socket, for which no privilege is needed
 * @throws {BpfError}
 */
export function withSocket<T>(work: (socket: Fd) => T, protocol?: number): T {
  const { result, errno } = syscall(
    syscallNumbers().socket,
    INET,
    protocol === undefined ? DATAGRAM : RAW,
    protocol ?? 0,
  );
  if (result < 0) {
    throw new BpfError(
      "socket",
      protocol === undefined ? "UDP socket" : `raw IPv4 socket of protocol ${protocol}`,
      errno,
      {
        hint: protocol === undefined ? undefined : "raw sockets take CAP_NET_RAW",
      },
    );
  }
  const socket = new Fd(result);
  try {
    return work(socket);
  } finally {
    socket.close();
  }
}

function enter(descriptor: number, subject: string): void {
  const { result, errno } = syscall(syscallNumbers().setns, descriptor, NEW_NETWORK);
  if (result < 0)
    throw new BpfError("setns", subject, errno, { hint: "entering another network namespace takes CAP_SYS_ADMIN" });
}
