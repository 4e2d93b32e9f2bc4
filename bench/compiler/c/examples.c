/* The programs of the examples in C. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 256); __type(key, __u32); __type(value, __u64); } connects SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); } denied SEC(".maps");

SEC("cgroup/connect4") int count_connect4(struct bpf_sock_addr *ctx) {
  __u32 protocol = ctx->protocol & 255;
  __u64 *counter = bpf_map_lookup_elem(&connects, &protocol);
  if (counter) __sync_fetch_and_add(counter, 1);
  return 1;
}

SEC("cgroup/connect4") int deny_connect4(struct bpf_sock_addr *ctx) {
  if ((__u16)ctx->user_port == bpf_htons(8000)) {
    __u32 first = 0;
    __u64 *counter = bpf_map_lookup_elem(&denied, &first);
    if (counter) __sync_fetch_and_add(counter, 1);
    bpf_set_retval(-111);
    return 0;
  }
  return 1;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
