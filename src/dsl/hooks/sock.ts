/**
 * Hooks on a socket's life: made, bound, released.
 *
 * Fields and rights are those of `__sock_filter_check_attach_type` in the
 * kernel's net/core/filter.c; the layout is `struct bpf_sock` of linux/bpf.h.
 */
import { AttachType, ProgramType } from "../../types/index.ts";
import { readable, writable, type ContextFields, type Hook } from "./hook.ts";

const everywhere = {
  family: readable(4, "u32"),
  type: readable(8, "u32"),
  /** IP protocol number. */
  protocol: readable(12, "u32"),
} as const;

const settable = {
  ...everywhere,
  boundDevIf: writable(0, "u32"),
  mark: writable(16, "u32"),
  priority: writable(20, "u32"),
} as const;

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
  "ringbufOutput",
  "tailCall",
] as const;

function sock<C extends ContextFields, R extends number, S extends string>(
  section: S,
  expectedAttachType: AttachType,
  context: C,
  returns: readonly R[],
): Hook<C, R, (typeof helpers)[number], S> {
  return {
    section,
    type: ProgramType.CGROUP_SOCK,
    expectedAttachType,
    contextType: "bpf_sock",
    context,
    returns,
    helpers,
  };
}

const verdict = [0, 1] as const;

/** A socket is made: 0 refuses it. */
export const sockCreate = sock("cgroup/sock_create", AttachType.CGROUP_INET_SOCK_CREATE, settable, verdict);
/** A socket is closed. */
export const sockRelease = sock("cgroup/sock_release", AttachType.CGROUP_INET_SOCK_RELEASE, settable, verdict);
/** A socket was bound to an IPv4 address and port: 0 takes that back. */
export const postBind4 = sock(
  "cgroup/post_bind4",
  AttachType.CGROUP_INET4_POST_BIND,
  {
    ...everywhere,
    srcIp4: readable(24, "be32"),
    /** In the machine's byte order, unlike other ports. */
    srcPort: readable(44, "u32"),
  } as const,
  verdict,
);
/** A socket was bound to an IPv6 address and port: 0 takes that back. */
export const postBind6 = sock(
  "cgroup/post_bind6",
  AttachType.CGROUP_INET6_POST_BIND,
  {
    ...everywhere,
    srcIp6: { element: readable(28, "be32"), count: 4 },
    srcPort: readable(44, "u32"),
  } as const,
  verdict,
);
