/*
 * The job of programs/ for IPv4, with the maps of the field's leading balancer: a service's entry 0 has the number
 * of its backends, entries 1 to n have their ids, and another hash map has the backend of each id. Every flow is in
 * an LRU hash map, which is read, and written if it differs.
 *
 * Omits what makes the real one longer: tracing, NodePort, affinity, and the service's second scope.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>

#define PROCEED 1
#define REJECT 0
#define EHOSTUNREACH 113

struct service_key {
  __u32 address;
  __u16 port;
  __u16 slot; /* 0: the service itself */
  __u8 protocol, scope;
  __u16 pad;
};
struct service {
  __u32 backend; /* in slots from 1 on */
  __u16 count;   /* in slot 0 */
  __u16 rev_nat_index;
  __u8 flags, flags2;
  __u16 pad;
};
struct backend {
  __u32 address;
  __u16 port;
  __u8 protocol, state;
  __u16 cluster;
  __u8 zone, pad;
};
struct reverse_key {
  __u64 cookie;
  __u32 address;
  __u16 port, pad;
};
struct reverse_entry {
  __u32 address;
  __u16 port, rev_nat_index;
};

struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 65536); __uint(map_flags, BPF_F_NO_PREALLOC); __type(key, struct service_key); __type(value, struct service); } peer_services SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 65536); __uint(map_flags, BPF_F_NO_PREALLOC); __type(key, __u32); __type(value, struct backend); } peer_backends SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_LRU_HASH); __uint(max_entries, 262144); __type(key, struct reverse_key); __type(value, struct reverse_entry); } peer_reverse SEC(".maps");

static __always_inline int forward(struct bpf_sock_addr *ctx) {
  struct service_key key = { .address = ctx->user_ip4, .port = (__u16)ctx->user_port, .protocol = ctx->protocol };
  if (ctx->protocol != IPPROTO_TCP && ctx->protocol != IPPROTO_UDP) return PROCEED;

  struct service *service = bpf_map_lookup_elem(&peer_services, &key);
  if (!service) return PROCEED;
  if (service->count == 0) {
    bpf_set_retval(-EHOSTUNREACH);
    return REJECT;
  }

  __u64 cookie = bpf_get_socket_cookie(ctx);
  __u32 number = ctx->protocol == IPPROTO_TCP ? bpf_get_prandom_u32() : (__u32)cookie;
  key.slot = number % service->count + 1;
  struct service *slot = bpf_map_lookup_elem(&peer_services, &key);
  if (!slot) return PROCEED;
  struct backend *backend = bpf_map_lookup_elem(&peer_backends, &slot->backend);
  if (!backend) return PROCEED;

  struct reverse_key from = { .cookie = cookie, .address = backend->address, .port = backend->port };
  struct reverse_entry to = { .address = key.address, .port = key.port, .rev_nat_index = service->rev_nat_index };
  struct reverse_entry *known = bpf_map_lookup_elem(&peer_reverse, &from);
  if (!known || known->address != to.address || known->port != to.port || known->rev_nat_index != to.rev_nat_index) {
    if (bpf_map_update_elem(&peer_reverse, &from, &to, BPF_ANY) < 0) return REJECT;
  }

  ctx->user_ip4 = backend->address;
  ctx->user_port = backend->port;
  return PROCEED;
}

static __always_inline int back(struct bpf_sock_addr *ctx) {
  struct reverse_key from = { .cookie = bpf_get_socket_cookie(ctx), .address = ctx->user_ip4, .port = (__u16)ctx->user_port };
  struct reverse_entry *entry = bpf_map_lookup_elem(&peer_reverse, &from);
  if (!entry) return PROCEED;

  struct service_key key = { .address = entry->address, .port = entry->port, .protocol = ctx->protocol };
  struct service *service = bpf_map_lookup_elem(&peer_services, &key);
  if (!service || service->rev_nat_index != entry->rev_nat_index) {
    bpf_map_delete_elem(&peer_reverse, &from);
    return PROCEED;
  }
  ctx->user_ip4 = entry->address;
  ctx->user_port = entry->port;
  return PROCEED;
}

SEC("cgroup/connect4") int connect4(struct bpf_sock_addr *ctx) { return forward(ctx); }
SEC("cgroup/sendmsg4") int sendmsg4(struct bpf_sock_addr *ctx) { return forward(ctx); }
SEC("cgroup/recvmsg4") int recvmsg4(struct bpf_sock_addr *ctx) { return back(ctx); }
SEC("cgroup/getpeername4") int getpeername4(struct bpf_sock_addr *ctx) { return back(ctx); }

/* Deletes the entry of a connected socket, whether it exists or not. */
SEC("cgroup/sock_release") int sock_release(struct bpf_sock *ctx) {
  struct reverse_key key = { .cookie = bpf_get_socket_cookie(ctx), .address = ctx->dst_ip4, .port = ctx->dst_port };
  bpf_map_delete_elem(&peer_reverse, &key);
  return PROCEED;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
