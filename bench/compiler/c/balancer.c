#include "balancer.h"

static __always_inline int is_mapped(struct bpf_sock_addr *ctx) {
  return ctx->user_ip6[2] == MAPPED_MIDDLE && *(__u64 *)&ctx->user_ip6[0] == 0;
}

SEC("cgroup/connect4") int connect4(struct bpf_sock_addr *ctx) {
  return ctx->type == SOCK_DGRAM ? translate_datagram4(ctx, 0) : translate_stream4(ctx, 0);
}
SEC("cgroup/sendmsg4") int sendmsg4(struct bpf_sock_addr *ctx) { return translate_datagram4(ctx, 0); }
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
