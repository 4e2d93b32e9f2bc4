/* The little of libbpf's headers and linux/bpf.h that the programs beside this file need, so that clang alone compiles them. */
#pragma once

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, val) int (*name)[val]
#define __type(name, val) typeof(val) *name
#define __noinline __attribute__((noinline))
#define __hidden __attribute__((visibility("hidden")))
#define __weak __attribute__((weak))
#define __core __attribute__((preserve_access_index))
#define __ksym __attribute__((section(".ksyms")))

enum { HASH = 1, ARRAY = 2, RINGBUF = 27, SK_STORAGE = 24, LRU_HASH = 9, PERF_EVENT_ARRAY = 4, ARRAY_OF_MAPS = 12 };

static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*const bpf_map_update_elem)(void *map, const void *key, const void *value, __u64 flags) = (void *)2;
static __u64 (*const bpf_ktime_get_ns)(void) = (void *)5;
static __u64 (*const bpf_get_current_task)(void) = (void *)35;
static void *(*const bpf_sk_storage_get)(void *map, void *sk, void *value, __u64 flags) = (void *)107;
static long (*const bpf_probe_read_kernel)(void *dst, __u32 size, const void *from) = (void *)113;
static long (*const bpf_ringbuf_output)(void *map, void *data, __u64 size, __u64 flags) = (void *)130;
static long (*const bpf_for_each_map_elem)(void *map, void *callback, void *context, __u64 flags) = (void *)164;

struct bpf_sock;

struct bpf_sock_addr {
	__u32 user_family;
	__u32 user_ip4;
	__u32 user_ip6[4];
	__u32 user_port;
	__u32 family;
	__u32 type;
	__u32 protocol;
	__u32 msg_src_ip4;
	__u32 msg_src_ip6[4];
	struct bpf_sock *sk;
};

struct __sk_buff {
	__u32 len;
	__u32 pkt_type;
	__u32 mark;
};
