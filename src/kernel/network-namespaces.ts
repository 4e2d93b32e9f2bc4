/** Network namespaces: listing them, and running code in one. */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { BpfError } from "./bpf-error.ts";
import { Fd } from "./fd.ts";
import { addressOf, syscall } from "./ffi.ts";
import { syscallNumbers } from "./syscall-numbers.ts";

/**
 * Paths of the network namespaces that this process can see, one per namespace: those of processes, including
 * its own, and those mounted by `ip netns`. A namespace kept alive only by a descriptor is not listed.
 *
 * @example
 * ```ts
 * import { networkNamespaces, SocketDiagnosis } from "tsbpf/kernel";
 *
 * for (const path of networkNamespaces()) {
 *   using sockets = new SocketDiagnosis(path);
 *   console.log(path, sockets.namespaceCookie());
 * }
 * ```
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
      // The process has ended, or belongs to another user.
    }
  }
  for (const [name, path] of parseMountedNamespaces(readFileSync("/proc/self/mountinfo", "utf8")))
    if (!paths.has(name)) paths.set(name, path);
  return [...paths.values()];
}

/** The network namespaces in the text of /proc/PID/mountinfo (proc(5)): name, such as `net:[4026531840]`, and path. */
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
 * Runs `work` in a network namespace; sockets created there stay in it. Only the current thread switches, and
 * it switches back before this returns, so `work` must be synchronous.
 * @throws {Error} from `fs`, with `code`: ENOENT if the namespace no longer exists
 * @throws {BpfError} if the namespace may not be entered
 * @example
 * ```ts
 * import { networkInterfaces } from "node:os";
 * import { inNetworkNamespace } from "tsbpf/kernel";
 *
 * const addresses = inNetworkNamespace("/run/netns/blue", () => networkInterfaces());
 * ```
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

/** The id of a socket's network namespace, as bpf_get_netns_cookie returns it; undefined before Linux 5.14. */
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
 * Runs `work` with an IPv4 socket in the current network namespace, and closes the socket.
 * @param protocol IP protocol number of a raw socket; if absent, a UDP socket, which needs no privilege
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
        hint: protocol === undefined ? undefined : "raw sockets need CAP_NET_RAW",
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
    throw new BpfError("setns", subject, errno, { hint: "entering another network namespace needs CAP_SYS_ADMIN" });
}
