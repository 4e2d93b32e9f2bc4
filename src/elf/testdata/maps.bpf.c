/* Maps of several kinds, with key and value types; two programs in one section. */
#include "bpf.h"

struct key {
	__be32 address;
	__be16 port;
	__u8 protocol;
};

struct value {
	__u64 hits;
	union {
		__be32 v4;
		__u8 v6[16];
	};
	__u16 slots[3];
	__s32 delta;
};

struct {
	__uint(type, HASH);
	__uint(max_entries, 128);
	__type(key, struct key);
	__type(value, struct value);
} services SEC(".maps");

struct {
	__uint(type, SK_STORAGE);
	__uint(map_flags, 1);
	__type(key, int);
	__type(value, __u64);
} flows SEC(".maps");

struct {
	__uint(type, RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct {
	__uint(type, ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__uint(value_size, 12);
} plain SEC(".maps");

SEC("cgroup/connect4")
int count(struct bpf_sock_addr *ctx)
{
	struct key key = { .address = ctx->user_ip4, .port = ctx->user_port, .protocol = ctx->protocol };
	struct value *value = bpf_map_lookup_elem(&services, &key);
	if (value) {
		__sync_fetch_and_add(&value->hits, 1);
		ctx->user_ip4 = value->v4;
	}
	__u64 *flow = bpf_sk_storage_get(&flows, ctx->sk, 0, 1);
	if (flow)
		*flow += 1;
	return 1;
}

SEC("cgroup/connect4")
int report(struct bpf_sock_addr *ctx)
{
	__u64 now = bpf_ktime_get_ns();
	bpf_ringbuf_output(&events, &now, sizeof(now), 0);
	__u32 zero = 0;
	__u32 *first = bpf_map_lookup_elem(&plain, &zero);
	if (first)
		*first = ctx->user_ip4;
	return 1;
}

char _license[] SEC("license") = "GPL";
