import { ProgramType } from "../types/index.ts";

/**
 * The struct that a program's first argument points to, by program type
 * (`linux/bpf_types.h` in the kernel): the verifier compares the name.
 */
const contexts: ReadonlyMap<ProgramType, string> = new Map<ProgramType, string>([
  [ProgramType.SOCKET_FILTER, "__sk_buff"],
  [ProgramType.SCHED_CLS, "__sk_buff"],
  [ProgramType.SCHED_ACT, "__sk_buff"],
  [ProgramType.XDP, "xdp_md"],
  [ProgramType.CGROUP_SKB, "__sk_buff"],
  [ProgramType.CGROUP_SOCK, "bpf_sock"],
  [ProgramType.CGROUP_SOCK_ADDR, "bpf_sock_addr"],
  [ProgramType.LWT_IN, "__sk_buff"],
  [ProgramType.LWT_OUT, "__sk_buff"],
  [ProgramType.LWT_XMIT, "__sk_buff"],
  [ProgramType.LWT_SEG6LOCAL, "__sk_buff"],
  [ProgramType.SOCK_OPS, "bpf_sock_ops"],
  [ProgramType.SK_SKB, "__sk_buff"],
  [ProgramType.SK_MSG, "sk_msg_md"],
  [ProgramType.FLOW_DISSECTOR, "__sk_buff"],
  [ProgramType.KPROBE, "pt_regs"],
  [ProgramType.PERF_EVENT, "bpf_perf_event_data"],
  [ProgramType.CGROUP_DEVICE, "bpf_cgroup_dev_ctx"],
  [ProgramType.RAW_TRACEPOINT, "bpf_raw_tracepoint_args"],
  [ProgramType.RAW_TRACEPOINT_WRITABLE, "bpf_raw_tracepoint_args"],
  [ProgramType.CGROUP_SYSCTL, "bpf_sysctl"],
  [ProgramType.CGROUP_SOCKOPT, "bpf_sockopt"],
  [ProgramType.SK_REUSEPORT, "sk_reuseport_md"],
  [ProgramType.SK_LOOKUP, "bpf_sk_lookup"],
  [ProgramType.NETFILTER, "bpf_nf_ctx"],
]);

/** The name of the context's struct; undefined for types whose context is no struct. */
export function contextStruct(type: ProgramType): string | undefined {
  return contexts.get(type);
}
