/** Helpers for time, CPU, random numbers and the current process. */
import type { HelperTable } from "./helper.ts";

export const environmentHelpers: HelperTable = {
  bpf_ktime_get_ns: (_, world) => world.time,
  bpf_ktime_get_boot_ns: (_, world) => world.time,
  bpf_ktime_get_coarse_ns: (_, world) => world.time,
  bpf_get_prandom_u32: (_, world) => world.random() >>> 0,
  bpf_get_smp_processor_id: (_, world) => world.cpu,
  bpf_get_numa_node_id: () => 0,
  bpf_get_current_pid_tgid: (_, { task }) => (BigInt(task.pid) << 32n) | BigInt(task.tid),
  bpf_get_current_uid_gid: (_, { task }) => (BigInt(task.gid) << 32n) | BigInt(task.uid),
  bpf_get_current_cgroup_id: (_, { task }) => task.cgroupId,
  bpf_get_current_ancestor_cgroup_id: (call, { task }) => [...task.ancestorCgroupIds, task.cgroupId][call.u32(1)] ?? 0n,

  bpf_get_current_comm(call, { task }) {
    const buffer = call.writableBytes(1, call.u32(2));
    buffer.fill(0);
    buffer.set(new TextEncoder().encode(task.comm).subarray(0, Math.max(0, buffer.length - 1)));
    return 0;
  },
};
