/* Functions of one's own: static, global, called from several programs and from each other, and called back. */
#include "bpf.h"

struct {
	__uint(type, ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} numbers SEC(".maps");

static __noinline __u64 twice(__u64 x)
{
	asm volatile("" : "+r"(x));
	return x * 2;
}

__noinline int bounded(__u32 x)
{
	asm volatile("" : "+r"(x));
	return twice(x) > 100 ? 100 : twice(x);
}

static long add(void *map, __u32 *key, __u64 *value, __u64 *total)
{
	*total += *value + twice(*key);
	return 0;
}

SEC("cgroup_skb/ingress")
int first(struct __sk_buff *skb)
{
	__u64 total = 0;
	bpf_for_each_map_elem(&numbers, add, &total, 0);
	__u32 key = 7;
	bpf_map_update_elem(&numbers, &key, &total, 0);
	return bounded(skb->len) > 0;
}

SEC("cgroup_skb/egress")
int second(struct __sk_buff *skb)
{
	__u32 key = 6;
	__u64 value = bounded(skb->len);
	bpf_map_update_elem(&numbers, &key, &value, 0);
	return 1;
}

char _license[] SEC("license") = "Dual MIT/GPL";
