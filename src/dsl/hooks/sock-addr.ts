/**
 * Hooks on a socket address: a program sees the address that a process gave to
 * a system call, or is about to get from one, and may write another.
 *
 * Fields and rights are those of `sock_addr_is_valid_access` in the kernel's
 * net/core/filter.c; the layout is `struct bpf_sock_addr` of linux/bpf.h.
 */
import { AttachType, ProgramType } from "../../types/index.ts";
import { pointer, readable, writable, type Context, type ContextFields, type Hook } from "./hook.ts";

/** The address could not be used: the system call fails. */
export const REJECT = 0;
/** The system call goes on, with the address as it is now. */
export const PROCEED = 1;

/** What may be read of the socket: `struct bpf_sock`, whose rights are those of `bpf_sock_is_valid_access`. */
const socket = {
  /** In network byte order; 0 without a peer. */
  dstPort: readable(48, "be16", 2),
  /** An IPv6 socket's too, where its peer's address is a mapped one. */
  dstIp4: readable(52, "be32"),
  /** The kernel's TCP states, for every protocol: 1 is a socket with a peer. */
  state: readable(72, "u32"),
} as const;

const everywhere = {
  /** Address family the process gave: `AF_INET` 2, `AF_INET6` 10. */
  userFamily: readable(0, "u32"),
  /** The socket's own family; an IPv6 socket may carry IPv4 traffic. */
  family: readable(28, "u32"),
  /** `SOCK_STREAM` 1, `SOCK_DGRAM` 2. */
  type: readable(32, "u32"),
  /** IP protocol number. */
  protocol: readable(36, "u32"),
  sk: pointer(64, "bpf_sock", socket),
} as const;

const address4 = {
  ...everywhere,
  userIp4: writable(4, "be32"),
  /** The kernel's field has 32 bits, of which the port takes 16. */
  userPort: writable(24, "be16", 4),
} as const;

/** What every hook on an IPv4 address sees. */
export type SockAddr4 = Context<typeof address4>;

const address6 = {
  ...everywhere,
  userIp6: { element: writable(8, "be32"), count: 4 as const },
  userPort: writable(24, "be16", 4),
} as const;

/** What every hook on an IPv6 address sees. */
export type SockAddr6 = Context<typeof address6>;

const source4 = { ...address4, msgSrcIp4: writable(40, "be32") } as const;
const source6 = { ...address6, msgSrcIp6: { element: writable(44, "be32"), count: 4 as const } } as const;

const helpers = [
  "ktimeGetNs",
  "ktimeGetBootNs",
  "getPrandomU32",
  "getSmpProcessorId",
  "getCurrentPidTgid",
  "getCurrentUidGid",
  "getCurrentCgroupId",
  "getCurrentAncestorCgroupId",
  "getSocketCookie",
  "getNetnsCookie",
  "skStorageGet",
  "skStorageDelete",
  "ringbufOutput",
  "tailCall",
] as const;
/** Hooks whose system call can be given an errno by the program. */
const withRetval = [...helpers, "setRetval", "getRetval"] as const;

type Names<T extends readonly string[]> = T[number];

function sockAddr<
  C extends ContextFields,
  R extends number,
  H extends readonly Names<typeof withRetval>[],
  S extends string,
>(section: S, expectedAttachType: AttachType, context: C, returns: readonly R[], allowed: H): Hook<C, R, H[number], S> {
  return {
    section,
    type: ProgramType.CGROUP_SOCK_ADDR,
    expectedAttachType,
    contextType: "bpf_sock_addr",
    context,
    returns,
    helpers: allowed,
  };
}

const verdict = [REJECT, PROCEED] as const;
const proceedOnly = [PROCEED] as const;

/** connect(2) to an IPv4 address. */
export const connect4 = sockAddr("cgroup/connect4", AttachType.CGROUP_INET4_CONNECT, address4, verdict, withRetval);
/** connect(2) to an IPv6 address. */
export const connect6 = sockAddr("cgroup/connect6", AttachType.CGROUP_INET6_CONNECT, address6, verdict, withRetval);
/** bind(2) to an IPv4 address. */
export const bind4 = sockAddr("cgroup/bind4", AttachType.CGROUP_INET4_BIND, address4, verdict, withRetval);
/** bind(2) to an IPv6 address. */
export const bind6 = sockAddr("cgroup/bind6", AttachType.CGROUP_INET6_BIND, address6, verdict, withRetval);
/** A UDP datagram sent to an IPv4 address that the call names. */
export const sendmsg4 = sockAddr("cgroup/sendmsg4", AttachType.CGROUP_UDP4_SENDMSG, source4, verdict, withRetval);
/** A UDP datagram sent to an IPv6 address that the call names. */
export const sendmsg6 = sockAddr("cgroup/sendmsg6", AttachType.CGROUP_UDP6_SENDMSG, source6, verdict, withRetval);
/** The source address of a received UDP datagram, as the process will see it. */
export const recvmsg4 = sockAddr("cgroup/recvmsg4", AttachType.CGROUP_UDP4_RECVMSG, address4, proceedOnly, helpers);
/** The source address of a datagram received on an IPv6 UDP socket. */
export const recvmsg6 = sockAddr("cgroup/recvmsg6", AttachType.CGROUP_UDP6_RECVMSG, address6, proceedOnly, helpers);
/** getpeername(2) of an IPv4 socket. */
export const getpeername4 = sockAddr(
  "cgroup/getpeername4",
  AttachType.CGROUP_INET4_GETPEERNAME,
  address4,
  proceedOnly,
  helpers,
);
/** getpeername(2) of an IPv6 socket. */
export const getpeername6 = sockAddr(
  "cgroup/getpeername6",
  AttachType.CGROUP_INET6_GETPEERNAME,
  address6,
  proceedOnly,
  helpers,
);
/** getsockname(2) of an IPv4 socket. */
export const getsockname4 = sockAddr(
  "cgroup/getsockname4",
  AttachType.CGROUP_INET4_GETSOCKNAME,
  address4,
  proceedOnly,
  helpers,
);
/** getsockname(2) of an IPv6 socket. */
export const getsockname6 = sockAddr(
  "cgroup/getsockname6",
  AttachType.CGROUP_INET6_GETSOCKNAME,
  address6,
  proceedOnly,
  helpers,
);
