/**
 * Program types and section names that have no hook here. Their programs are
 * read from object files, run and loaded all the same; the builder cannot write
 * them. Names are libbpf's (its `section_defs` table; Documentation/bpf/libbpf/
 * program_types.rst), structs are those of `linux/bpf_types.h`.
 */
import { AttachType, ProgramType } from "../types/index.ts";
import type { ProgramKind } from "./hook.ts";

const P = ProgramType;
const A = AttachType;

/** Names that stand as they are. */
const plain: readonly (readonly [section: string, type: ProgramType, contextType?: string, attachType?: AttachType])[] =
  [
    ["sk_reuseport/migrate", P.SK_REUSEPORT, "sk_reuseport_md", A.SK_REUSEPORT_SELECT_OR_MIGRATE],
    ["sk_reuseport", P.SK_REUSEPORT, "sk_reuseport_md", A.SK_REUSEPORT_SELECT],
    ["tc/ingress", P.SCHED_CLS, "__sk_buff", A.TCX_INGRESS],
    ["tc/egress", P.SCHED_CLS, "__sk_buff", A.TCX_EGRESS],
    ["tcx/ingress", P.SCHED_CLS, "__sk_buff", A.TCX_INGRESS],
    ["tcx/egress", P.SCHED_CLS, "__sk_buff", A.TCX_EGRESS],
    ["netkit/primary", P.SCHED_CLS, "__sk_buff", A.NETKIT_PRIMARY],
    ["netkit/peer", P.SCHED_CLS, "__sk_buff", A.NETKIT_PEER],
    ["tc", P.SCHED_CLS, "__sk_buff"],
    ["classifier", P.SCHED_CLS, "__sk_buff"],
    ["action", P.SCHED_ACT, "__sk_buff"],
    ["xdp/devmap", P.XDP, "xdp_md", A.XDP_DEVMAP],
    ["xdp/cpumap", P.XDP, "xdp_md", A.XDP_CPUMAP],
    ["perf_event", P.PERF_EVENT, "bpf_perf_event_data"],
    ["lwt_in", P.LWT_IN, "__sk_buff"],
    ["lwt_out", P.LWT_OUT, "__sk_buff"],
    ["lwt_xmit", P.LWT_XMIT, "__sk_buff"],
    ["lwt_seg6local", P.LWT_SEG6LOCAL, "__sk_buff"],
    ["sockops", P.SOCK_OPS, "bpf_sock_ops", A.CGROUP_SOCK_OPS],
    ["sk_skb/stream_parser", P.SK_SKB, "__sk_buff", A.SK_SKB_STREAM_PARSER],
    ["sk_skb/stream_verdict", P.SK_SKB, "__sk_buff", A.SK_SKB_STREAM_VERDICT],
    ["sk_skb/verdict", P.SK_SKB, "__sk_buff", A.SK_SKB_VERDICT],
    ["sk_skb", P.SK_SKB, "__sk_buff"],
    ["sk_msg", P.SK_MSG, "sk_msg_md", A.SK_MSG_VERDICT],
    ["lirc_mode2", P.LIRC_MODE2, undefined, A.LIRC_MODE2],
    ["flow_dissector", P.FLOW_DISSECTOR, "__sk_buff", A.FLOW_DISSECTOR],
    ["cgroup/skb", P.CGROUP_SKB, "__sk_buff"],
    ["cgroup/connect_unix", P.CGROUP_SOCK_ADDR, "bpf_sock_addr", A.CGROUP_UNIX_CONNECT],
    ["cgroup/sendmsg_unix", P.CGROUP_SOCK_ADDR, "bpf_sock_addr", A.CGROUP_UNIX_SENDMSG],
    ["cgroup/recvmsg_unix", P.CGROUP_SOCK_ADDR, "bpf_sock_addr", A.CGROUP_UNIX_RECVMSG],
    ["cgroup/getpeername_unix", P.CGROUP_SOCK_ADDR, "bpf_sock_addr", A.CGROUP_UNIX_GETPEERNAME],
    ["cgroup/getsockname_unix", P.CGROUP_SOCK_ADDR, "bpf_sock_addr", A.CGROUP_UNIX_GETSOCKNAME],
    ["cgroup/sysctl", P.CGROUP_SYSCTL, "bpf_sysctl", A.CGROUP_SYSCTL],
    ["cgroup/getsockopt", P.CGROUP_SOCKOPT, "bpf_sockopt", A.CGROUP_GETSOCKOPT],
    ["cgroup/setsockopt", P.CGROUP_SOCKOPT, "bpf_sockopt", A.CGROUP_SETSOCKOPT],
    ["cgroup/dev", P.CGROUP_DEVICE, "bpf_cgroup_dev_ctx", A.CGROUP_DEVICE],
    ["sk_lookup", P.SK_LOOKUP, "bpf_sk_lookup", A.SK_LOOKUP],
    ["netfilter", P.NETFILTER, "bpf_nf_ctx", A.NETFILTER],
  ];

/** Names on their own, or followed by a `/` and the name of the target. */
const named: typeof plain = [
  ["kprobe", P.KPROBE, "pt_regs"],
  ["kretprobe", P.KPROBE, "pt_regs"],
  ["uprobe", P.KPROBE, "pt_regs"],
  ["uretprobe", P.KPROBE, "pt_regs"],
  ["ksyscall", P.KPROBE, "pt_regs"],
  ["kretsyscall", P.KPROBE, "pt_regs"],
  ["usdt", P.KPROBE, "pt_regs"],
  ["kprobe.multi", P.KPROBE, "pt_regs", A.TRACE_KPROBE_MULTI],
  ["kretprobe.multi", P.KPROBE, "pt_regs", A.TRACE_KPROBE_MULTI],
  ["tracepoint", P.TRACEPOINT],
  ["tp", P.TRACEPOINT],
  ["raw_tracepoint", P.RAW_TRACEPOINT, "bpf_raw_tracepoint_args"],
  ["raw_tp", P.RAW_TRACEPOINT, "bpf_raw_tracepoint_args"],
  ["raw_tracepoint.w", P.RAW_TRACEPOINT_WRITABLE, "bpf_raw_tracepoint_args"],
  ["raw_tp.w", P.RAW_TRACEPOINT_WRITABLE, "bpf_raw_tracepoint_args"],
];

const kind = ([section, type, contextType, expectedAttachType]: (typeof plain)[number]): ProgramKind => ({
  sections: [section],
  type,
  ...(contextType !== undefined && { contextType }),
  ...(expectedAttachType !== undefined && { expectedAttachType }),
});

export const withoutHook: readonly ProgramKind[] = [
  ...plain.map(kind),
  ...named.map((row) => ({ ...kind(row), sectionNamesTarget: true as const })),
];
