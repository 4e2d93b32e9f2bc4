/** Lists and closes the sockets of a network namespace: sock_diag(7). */
import { BpfError } from "./bpf-error.ts";
import { Errno } from "./errno.ts";
import { Fd } from "./fd.ts";
import { addressOf, syscall } from "./ffi.ts";
import { inNetworkNamespace, namespaceCookieOf } from "./network-namespaces.ts";
import {
  datagramSocketMessage,
  decodeReplies,
  destroyMessage,
  listMessage,
  SocketState,
  type DiagnosedSocket,
  type DiagReply,
  type SocketQuery,
} from "./sock-diag-message.ts";
import { syscallNumbers } from "./syscall-numbers.ts";

/** `AF_NETLINK`, `SOCK_RAW | SOCK_CLOEXEC`, `NETLINK_SOCK_DIAG`. */
const NETLINK = 16;
const RAW = 3 | 0o2000000;
const SOCK_DIAG = 4;
/** `MSG_DONTWAIT`: the replies are queued by the time the request returns. */
const DO_NOT_WAIT = 0x40;

/** The kernel fills up to 32 KiB per datagram. */
const REPLY_SIZE = 65_536;

/** Requests in flight; their replies fit the smallest receive buffer. */
const BATCH = 32;

const TCP = 6;

/**
 * The sockets of one network namespace, as the kernel reports them.
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
export class SocketDiagnosis {
  readonly #fd: Fd;
  readonly #reply = Buffer.alloc(REPLY_SIZE);
  #sequence = 0;

  /**
   * @param namespace a path from `networkNamespaces`
   * @throws {Error} from `fs`, with `code`: ENOENT if the namespace no longer exists
   * @throws {BpfError}
   */
  constructor(namespace: string) {
    this.#fd = inNetworkNamespace(namespace, () => {
      const { result, errno } = syscall(syscallNumbers().socket, NETLINK, RAW, SOCK_DIAG);
      if (result < 0)
        throw new BpfError("socket", "NETLINK_SOCK_DIAG", errno, { hint: "the kernel needs CONFIG_INET_DIAG" });
      return new Fd(result);
    });
  }

  /** The namespace's cookie, as bpf_get_netns_cookie returns it; undefined before Linux 5.14. */
  namespaceCookie(): bigint | undefined {
    return namespaceCookieOf(this.#fd);
  }

  /**
   * Lists the sockets that match a query. A socket that opens or closes meanwhile may be missing.
   * @throws {BpfError} ENOENT if the kernel cannot list this protocol
   */
  list(query: SocketQuery): DiagnosedSocket[] {
    const sequence = this.#nextSequence();
    const subject = `sockets of protocol ${query.protocol}`;
    this.#send(listMessage(query, sequence), subject);
    const found: DiagnosedSocket[] = [];
    for (;;) {
      for (const reply of this.#receive(subject)) {
        if (reply.sequence !== sequence) continue;
        if (reply.kind === "socket") {
          found.push(reply.socket);
          continue;
        }
        if (reply.errno === 0) return found;
        throw new BpfError("SOCK_DIAG_BY_FAMILY", subject, reply.errno, {
          hint: "the kernel needs CONFIG_INET_TCP_DIAG and CONFIG_INET_UDP_DIAG",
        });
      }
    }
  }

  /**
   * Closes sockets (`SOCK_DESTROY`); their users get ECONNABORTED. A datagram socket that is no longer
   * connected as listed is left open, since closing would cost it its port. The kernel cannot check and close
   * in one step: a socket that disconnects in the microseconds between is closed.
   * @returns the number of sockets closed, without those already gone
   * @throws {BpfError} EOPNOTSUPP if the kernel cannot close sockets; EPERM without CAP_NET_ADMIN
   */
  destroy(protocol: number, sockets: readonly DiagnosedSocket[]): number {
    let closed = 0;
    for (let i = 0; i < sockets.length; i += BATCH) {
      const batch = sockets.slice(i, i + BATCH);
      const wanted = protocol === TCP ? batch : this.#stillConnected(protocol, batch);
      for (const reply of this.#exchange(wanted, (socket, sequence) => destroyMessage(protocol, socket, sequence))) {
        if (reply.kind !== "result") continue;
        if (reply.errno === 0) closed++;
        else if (reply.errno !== Errno.ENOENT) throw cannotClose(reply.errno);
      }
    }
    return closed;
  }

  close(): void {
    this.#fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #stillConnected(protocol: number, sockets: readonly DiagnosedSocket[]): DiagnosedSocket[] {
    const replies = this.#exchange(sockets, (socket, sequence) => datagramSocketMessage(protocol, socket, sequence));
    return sockets.filter(({ id }, i) => {
      const reply = replies[i]!;
      return (
        reply.kind === "socket" &&
        reply.socket.state === SocketState.ESTABLISHED &&
        Buffer.compare(reply.socket.id, id) === 0
      );
    });
  }

  /** Sends requests that have one reply each, and returns the replies in the order of the requests. */
  #exchange(
    sockets: readonly DiagnosedSocket[],
    request: (socket: DiagnosedSocket, sequence: number) => Uint8Array,
  ): DiagReply[] {
    if (sockets.length === 0) return [];
    const first = this.#sequence + 1;
    this.#send(Buffer.concat(sockets.map((socket) => request(socket, this.#nextSequence()))), "sockets");
    const answers = new Map<number, DiagReply>();
    while (answers.size < sockets.length) {
      for (const reply of this.#receive("sockets")) if (reply.sequence >= first) answers.set(reply.sequence, reply);
    }
    return sockets.map((_, i) => answers.get(first + i)!);
  }

  #nextSequence(): number {
    return ++this.#sequence;
  }

  #send(message: Uint8Array, subject: string): void {
    const { result, errno } = syscall(
      syscallNumbers().sendto,
      this.#fd.number,
      addressOf(message),
      message.length,
      0,
      0,
      0,
    );
    if (result < 0) throw new BpfError("sendto", `${subject} (NETLINK_SOCK_DIAG)`, errno);
  }

  #receive(subject: string): DiagReply[] {
    const { result, errno } = syscall(
      syscallNumbers().recvfrom,
      this.#fd.number,
      addressOf(this.#reply),
      REPLY_SIZE,
      DO_NOT_WAIT,
      0,
      0,
    );
    if (result < 0) throw new BpfError("recvfrom", `${subject} (NETLINK_SOCK_DIAG)`, errno);
    return decodeReplies(this.#reply.subarray(0, result));
  }
}

function cannotClose(errno: number): BpfError {
  return new BpfError("SOCK_DESTROY", "sockets", errno, {
    hint:
      errno === Errno.EOPNOTSUPP
        ? "the kernel was built without CONFIG_INET_DIAG_DESTROY"
        : "closing sockets needs CAP_NET_ADMIN",
  });
}
