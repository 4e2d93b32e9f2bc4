/* The programs of programs/ in C: the same maps, and the same steps in the same order. */
#pragma once
#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define PROCEED 1
#define REJECT 0
#define RECENT_FLOWS 4
#define OLDER_FLOWS 32
#define FILTER_FACTOR 0x9e3779b97f4a7c15ull
#define FILTER_FACTOR_32 0x9e3779b1u
#define SOCK_DGRAM 2
#define AF_INET6 10
#define CONNECTED 1 /* TCP_ESTABLISHED */
#define ECONNREFUSED 111
#define EHOSTUNREACH 113
#define MAPPED_MIDDLE 0xffff0000u /* bytes 00 00 ff ff on a little-endian machine */

struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u32); } generation SEC(".maps");

struct address6 { __u32 word[4]; };

#define FAMILY 4
#include "family.h"
#undef FAMILY
#define FAMILY 6
#include "family.h"
#undef FAMILY

char LICENSE[] SEC("license") = "Dual MIT/GPL";
