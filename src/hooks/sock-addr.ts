/**
 * What the hooks on a socket address share: a program sees the address that a
 * process gave to a system call, or is about to get from one, and may write
 * another.
 *
 * Fields and rights follow `sock_addr_is_valid_access` in the kernel's
 * net/core/filter.c; the layout is `struct bpf_sock_addr` of linux/bpf.h.
 */
import { ProgramType, type AttachType } from "../types/index.ts";
import { bpfSock } from "./bpf-sock.ts";
import { pointer, readable, writable, type ContextFields } from "./hook.ts";

/** The program's verdict: the system call fails with EPERM, or with the errno that the program set. */
export const REJECT = 0;
/** The program's verdict: the system call goes on, with the address as it is now. */
export const PROCEED = 1;

const common = {
  /** Address family the process gave: `AF_INET` 2, `AF_INET6` 10. */
  userFamily: readable(0, "u32"),
  /** The socket's own family; an IPv6 socket may carry IPv4 traffic. */
  family: readable(28, "u32"),
  /** `SOCK_STREAM` 1, `SOCK_DGRAM` 2. */
  type: readable(32, "u32"),
  /** IP protocol number. */
  protocol: readable(36, "u32"),
  sk: pointer(64, "bpf_sock", {
    dstPort: bpfSock.dstPort,
    dstIp4: bpfSock.dstIp4,
    dstIp6: bpfSock.dstIp6,
    state: bpfSock.state,
  }),
} as const;

/** The context of a hook on an IPv4 address. */
export const address4 = {
  ...common,
  userIp4: writable(4, "be32"),
  /** The kernel's field has 32 bits; the port takes 16 of them. */
  userPort: writable(24, "be16", 4),
} as const;

/** The context of a hook on an IPv6 address. */
export const address6 = {
  ...common,
  userIp6: { element: writable(8, "be32"), count: 4, wide: true },
  userPort: writable(24, "be16", 4),
} as const;

const helpers = [
  "time",
  "cpu",
  "task",
  "socketCookie",
  "netnsCookie",
  "socketStorage",
  "socketStorageDelete",
  "ringBuffer",
  "tailCall",
] as const;

const facts = {
  type: ProgramType.CGROUP_SOCK_ADDR,
  contextType: "bpf_sock_addr",
  contextSize: 72,
  target: "cgroup",
  inSystemCall: true,
} as const;

const simulated = (context: ContextFields, datagrams: boolean) => {
  const family = "userIp6" in context ? "inet6" : "inet";
  return {
    userFamily: family,
    family,
    type: datagrams ? "dgram" : "stream",
    protocol: datagrams ? "udp" : "tcp",
  } as const;
};

/** The facts of one hook on a socket address. */
interface SockAddrHook<S extends string, C extends ContextFields> {
  readonly section: S;
  readonly attachType: AttachType;
  readonly context: C;
  /** True for hooks that run on UDP datagrams alone. */
  readonly datagrams?: boolean;
}

/** A hook before the call does its work: a program may refuse the call and choose its errno (Linux 5.18). */
export const requestHook = <S extends string, C extends ContextFields>(hook: SockAddrHook<S, C>) =>
  ({
    ...facts,
    sections: [hook.section],
    expectedAttachType: hook.attachType,
    context: hook.context,
    returns: [REJECT, PROCEED],
    helpers: [...helpers, "retval"],
    simulated: simulated(hook.context, hook.datagrams ?? false),
  }) as const;

/** A hook on an address that a call gives back: a program may rewrite it, and always lets the call go on. */
export const resultHook = <S extends string, C extends ContextFields>(hook: SockAddrHook<S, C>) =>
  ({
    ...facts,
    sections: [hook.section],
    expectedAttachType: hook.attachType,
    context: hook.context,
    returns: [PROCEED],
    helpers,
    simulated: simulated(hook.context, hook.datagrams ?? false),
  }) as const;
