/** What libbpf's section names say of a program (its `section_defs` table; Documentation/bpf/libbpf/program_types.rst). */
import { AttachType, ProgramType } from "../types/index.ts";

export interface SectionMeaning {
  readonly type: ProgramType;
  readonly expectedAttachType?: AttachType;
}

const P = ProgramType;
const A = AttachType;

/** Names that are as they stand, and behind which libbpf takes no more. */
const exact: Readonly<Record<string, readonly [ProgramType, AttachType?]>> = {
  "sk_reuseport/migrate": [P.SK_REUSEPORT, A.SK_REUSEPORT_SELECT_OR_MIGRATE],
  sk_reuseport: [P.SK_REUSEPORT, A.SK_REUSEPORT_SELECT],
  "tc/ingress": [P.SCHED_CLS, A.TCX_INGRESS],
  "tc/egress": [P.SCHED_CLS, A.TCX_EGRESS],
  "tcx/ingress": [P.SCHED_CLS, A.TCX_INGRESS],
  "tcx/egress": [P.SCHED_CLS, A.TCX_EGRESS],
  "netkit/primary": [P.SCHED_CLS, A.NETKIT_PRIMARY],
  "netkit/peer": [P.SCHED_CLS, A.NETKIT_PEER],
  tc: [P.SCHED_CLS],
  classifier: [P.SCHED_CLS],
  action: [P.SCHED_ACT],
  "xdp/devmap": [P.XDP, A.XDP_DEVMAP],
  "xdp/cpumap": [P.XDP, A.XDP_CPUMAP],
  xdp: [P.XDP, A.XDP],
  perf_event: [P.PERF_EVENT],
  lwt_in: [P.LWT_IN],
  lwt_out: [P.LWT_OUT],
  lwt_xmit: [P.LWT_XMIT],
  lwt_seg6local: [P.LWT_SEG6LOCAL],
  sockops: [P.SOCK_OPS, A.CGROUP_SOCK_OPS],
  "sk_skb/stream_parser": [P.SK_SKB, A.SK_SKB_STREAM_PARSER],
  "sk_skb/stream_verdict": [P.SK_SKB, A.SK_SKB_STREAM_VERDICT],
  "sk_skb/verdict": [P.SK_SKB, A.SK_SKB_VERDICT],
  sk_skb: [P.SK_SKB],
  sk_msg: [P.SK_MSG, A.SK_MSG_VERDICT],
  lirc_mode2: [P.LIRC_MODE2, A.LIRC_MODE2],
  flow_dissector: [P.FLOW_DISSECTOR, A.FLOW_DISSECTOR],
  "cgroup_skb/ingress": [P.CGROUP_SKB, A.CGROUP_INET_INGRESS],
  "cgroup_skb/egress": [P.CGROUP_SKB, A.CGROUP_INET_EGRESS],
  "cgroup/skb": [P.CGROUP_SKB],
  "cgroup/sock_create": [P.CGROUP_SOCK, A.CGROUP_INET_SOCK_CREATE],
  "cgroup/sock_release": [P.CGROUP_SOCK, A.CGROUP_INET_SOCK_RELEASE],
  "cgroup/sock": [P.CGROUP_SOCK, A.CGROUP_INET_SOCK_CREATE],
  "cgroup/post_bind4": [P.CGROUP_SOCK, A.CGROUP_INET4_POST_BIND],
  "cgroup/post_bind6": [P.CGROUP_SOCK, A.CGROUP_INET6_POST_BIND],
  "cgroup/bind4": [P.CGROUP_SOCK_ADDR, A.CGROUP_INET4_BIND],
  "cgroup/bind6": [P.CGROUP_SOCK_ADDR, A.CGROUP_INET6_BIND],
  "cgroup/connect4": [P.CGROUP_SOCK_ADDR, A.CGROUP_INET4_CONNECT],
  "cgroup/connect6": [P.CGROUP_SOCK_ADDR, A.CGROUP_INET6_CONNECT],
  "cgroup/connect_unix": [P.CGROUP_SOCK_ADDR, A.CGROUP_UNIX_CONNECT],
  "cgroup/sendmsg4": [P.CGROUP_SOCK_ADDR, A.CGROUP_UDP4_SENDMSG],
  "cgroup/sendmsg6": [P.CGROUP_SOCK_ADDR, A.CGROUP_UDP6_SENDMSG],
  "cgroup/sendmsg_unix": [P.CGROUP_SOCK_ADDR, A.CGROUP_UNIX_SENDMSG],
  "cgroup/recvmsg4": [P.CGROUP_SOCK_ADDR, A.CGROUP_UDP4_RECVMSG],
  "cgroup/recvmsg6": [P.CGROUP_SOCK_ADDR, A.CGROUP_UDP6_RECVMSG],
  "cgroup/recvmsg_unix": [P.CGROUP_SOCK_ADDR, A.CGROUP_UNIX_RECVMSG],
  "cgroup/getpeername4": [P.CGROUP_SOCK_ADDR, A.CGROUP_INET4_GETPEERNAME],
  "cgroup/getpeername6": [P.CGROUP_SOCK_ADDR, A.CGROUP_INET6_GETPEERNAME],
  "cgroup/getpeername_unix": [P.CGROUP_SOCK_ADDR, A.CGROUP_UNIX_GETPEERNAME],
  "cgroup/getsockname4": [P.CGROUP_SOCK_ADDR, A.CGROUP_INET4_GETSOCKNAME],
  "cgroup/getsockname6": [P.CGROUP_SOCK_ADDR, A.CGROUP_INET6_GETSOCKNAME],
  "cgroup/getsockname_unix": [P.CGROUP_SOCK_ADDR, A.CGROUP_UNIX_GETSOCKNAME],
  "cgroup/sysctl": [P.CGROUP_SYSCTL, A.CGROUP_SYSCTL],
  "cgroup/getsockopt": [P.CGROUP_SOCKOPT, A.CGROUP_GETSOCKOPT],
  "cgroup/setsockopt": [P.CGROUP_SOCKOPT, A.CGROUP_SETSOCKOPT],
  "cgroup/dev": [P.CGROUP_DEVICE, A.CGROUP_DEVICE],
  sk_lookup: [P.SK_LOOKUP, A.SK_LOOKUP],
  netfilter: [P.NETFILTER, A.NETFILTER],
};

/** Names that may stand alone or before a `/` and the name of what to attach to. */
const prefixes: Readonly<Record<string, readonly [ProgramType, AttachType?]>> = {
  socket: [P.SOCKET_FILTER],
  kprobe: [P.KPROBE],
  kretprobe: [P.KPROBE],
  uprobe: [P.KPROBE],
  uretprobe: [P.KPROBE],
  ksyscall: [P.KPROBE],
  kretsyscall: [P.KPROBE],
  usdt: [P.KPROBE],
  "kprobe.multi": [P.KPROBE, A.TRACE_KPROBE_MULTI],
  "kretprobe.multi": [P.KPROBE, A.TRACE_KPROBE_MULTI],
  tracepoint: [P.TRACEPOINT],
  tp: [P.TRACEPOINT],
  raw_tracepoint: [P.RAW_TRACEPOINT],
  raw_tp: [P.RAW_TRACEPOINT],
  "raw_tracepoint.w": [P.RAW_TRACEPOINT_WRITABLE],
  "raw_tp.w": [P.RAW_TRACEPOINT_WRITABLE],
};

/**
 * The program type and hook that a section name means; a leading `?`, libbpf's
 * sign for "not loaded by itself", makes no difference.
 * @returns undefined for names whose programs cannot be loaded from the name alone
 * (they need a kernel function's BTF id or flags: fentry, lsm, iter, struct_ops, …).
 */
export function sectionMeaning(section: string): SectionMeaning | undefined {
  const name = section.replace(/^\?/, "");
  const [type, expectedAttachType] = (Object.hasOwn(exact, name) ? exact[name] : prefixOf(name)) ?? [];
  if (type === undefined) return undefined;
  return expectedAttachType === undefined ? { type } : { type, expectedAttachType };
}

function prefixOf(name: string): readonly [ProgramType, AttachType?] | undefined {
  const head = name.split("/", 1)[0]!;
  return Object.hasOwn(prefixes, head) ? prefixes[head] : undefined;
}
