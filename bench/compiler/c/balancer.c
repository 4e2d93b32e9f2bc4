#include "balancer.h"

static __always_inline int is_mapped(struct bpf_sock_addr *ctx) {
  return ctx->user_ip6[2] == MAPPED_MIDDLE && ctx->user_ip6[0] == 0 && ctx->user_ip6[1] == 0;
}

static __always_inline int is_peer_of_ipv6_socket(struct bpf_sock_addr *ctx) {
  if (ctx->family != AF_INET6) return 0;
  struct bpf_sock *sk = ctx->sk;
  return sk->state == CONNECTED && sk->dst_ip4 == ctx->user_ip4 && sk->dst_port == (__u16)ctx->user_port;
}

SEC("cgroup/connect4") int connect4(struct bpf_sock_addr *ctx) {
  return ctx->type == SOCK_DGRAM ? translate_datagram4(ctx, 0) : translate_stream4(ctx, 0);
}
SEC("cgroup/sendmsg4") int sendmsg4(struct bpf_sock_addr *ctx) {
  return is_peer_of_ipv6_socket(ctx) ? PROCEED : translate_datagram4(ctx, 0);
}
SEC("cgroup/recvmsg4") int recvmsg4(struct bpf_sock_addr *ctx) { return translate_reply4(ctx, 0); }
SEC("cgroup/getpeername4") int getpeername4(struct bpf_sock_addr *ctx) { return translate_reply4(ctx, 0); }

SEC("cgroup/connect6") int connect6(struct bpf_sock_addr *ctx) {
  if (is_mapped(ctx)) return ctx->type == SOCK_DGRAM ? translate_datagram4(ctx, 1) : translate_stream4(ctx, 1);
  return ctx->type == SOCK_DGRAM ? translate_datagram6(ctx, 0) : translate_stream6(ctx, 0);
}
SEC("cgroup/sendmsg6") int sendmsg6(struct bpf_sock_addr *ctx) { return translate_datagram6(ctx, 0); }
SEC("cgroup/recvmsg6") int recvmsg6(struct bpf_sock_addr *ctx) { return is_mapped(ctx) ? translate_reply4(ctx, 1) : translate_reply6(ctx, 0); }
SEC("cgroup/getpeername6") int getpeername6(struct bpf_sock_addr *ctx) { return is_mapped(ctx) ? translate_reply4(ctx, 1) : translate_reply6(ctx, 0); }

SEC("cgroup/sock_release") int sock_release(struct bpf_sock *ctx) {
  if (ctx->type != SOCK_DGRAM) return PROCEED;
  release4(ctx);
  release6(ctx);
  return PROCEED;
}
