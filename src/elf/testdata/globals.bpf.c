/* Global variables of every kind; the packet's length and the mark pass through them. */
#include "bpf.h"

const volatile __u32 factor = 3;
volatile __u32 added = 1000;
static volatile __u64 sum = 7;
volatile __u64 calls;
static volatile __u32 history[4];
volatile __u32 own SEC(".data.own") = 40;

static __u32 next(void)
{
	static volatile __u32 counter = 5;
	return ++counter;
}

SEC("cgroup_skb/egress")
int globals(struct __sk_buff *skb)
{
	static const char word[8] = "seventh";
	calls++;
	history[calls & 3] = skb->len;
	sum += skb->len * factor + added;
	own += next();
	return word[skb->mark & 7] == 's';
}

char _license[] SEC("license") = "GPL";
