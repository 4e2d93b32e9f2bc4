/**
 * Hooks on a socket's life: made, bound, released.
 *
 * Fields and rights follow `__sock_filter_check_attach_type` in the kernel's
 * net/core/filter.c; the layout is `struct bpf_sock` of linux/bpf.h.
 */
import { AttachType, ProgramType } from "../types/index.ts";
import { BPF_SOCK_SIZE, bpfSock } from "./bpf-sock.ts";
import { hook, writable } from "./hook.ts";

const { family, type, protocol } = bpfSock;

const settable = {
  family,
  type,
  protocol,
  boundDevIf: writable(0, "u32"),
  mark: writable(16, "u32"),
  priority: writable(20, "u32"),
} as const;

const facts = {
  type: ProgramType.CGROUP_SOCK,
  contextType: "bpf_sock",
  contextSize: BPF_SOCK_SIZE,
  returns: [0, 1],
  helpers: ["time", "cpu", "task", "socketCookie", "netnsCookie", "socketStorage", "ringBuffer", "tailCall"],
  target: "cgroup",
  inSystemCall: true,
} as const;

const simulated = (family: "inet" | "inet6") => ({ family, type: "stream", protocol: "tcp" }) as const;

/** A socket is made: 0 refuses it. */
export const sockCreate = hook({
  ...facts,
  sections: ["cgroup/sock_create", "cgroup/sock"],
  expectedAttachType: AttachType.CGROUP_INET_SOCK_CREATE,
  context: settable,
  simulated: simulated("inet"),
});

/** A socket is closed. */
export const sockRelease = hook({
  ...facts,
  sections: ["cgroup/sock_release"],
  expectedAttachType: AttachType.CGROUP_INET_SOCK_RELEASE,
  context: settable,
  simulated: simulated("inet"),
});

/** A socket was bound to an IPv4 address and port: 0 takes that back. */
export const postBind4 = hook({
  ...facts,
  sections: ["cgroup/post_bind4"],
  expectedAttachType: AttachType.CGROUP_INET4_POST_BIND,
  context: { family, type, protocol, srcIp4: bpfSock.srcIp4, srcPort: bpfSock.srcPort },
  simulated: simulated("inet"),
});

/** A socket was bound to an IPv6 address and port: 0 takes that back. */
export const postBind6 = hook({
  ...facts,
  sections: ["cgroup/post_bind6"],
  expectedAttachType: AttachType.CGROUP_INET6_POST_BIND,
  context: { family, type, protocol, srcIp6: bpfSock.srcIp6, srcPort: bpfSock.srcPort },
  simulated: simulated("inet6"),
});
