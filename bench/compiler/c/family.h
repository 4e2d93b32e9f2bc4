/* Included once for each address family. `mapped`: the context's address is IPv4-mapped. */
#if FAMILY == 4
#define N(name) name##4
#define ADDRESS __u32
#define SAME(a, b) ((a) == (b))
#define SERVICES services
#define SLOTS slots
#define REVERSE cilium_lb4_reverse_sk
#define FLOWS flows
#define WIDEST 4
#else
#define N(name) name##6
#define ADDRESS struct address6
#define SAME(a, b) ((a).low == (b).low && (a).high == (b).high)
#define SERVICES services6
#define SLOTS slots6
#define REVERSE cilium_lb6_reverse_sk
#define FLOWS flows6
/* Where the layout allows it, 8-byte halves are known to be aligned: otherwise clang loads them in pieces. */
#define WIDEST 8
#endif

struct N(service_key) { ADDRESS address; __u16 port; __u8 protocol; __u8 scope; } __attribute__((packed, aligned(4)));
struct N(slot) { ADDRESS address; __u16 port; __u16 state; } __attribute__((packed, aligned(4)));
struct N(reverse_key) { __u64 cookie; ADDRESS address; __u16 port; __u16 pad; } __attribute__((packed, aligned(8)));
struct N(reverse_entry) { ADDRESS address; __u16 port; __u16 rev_nat_index; } __attribute__((packed, aligned(4)));
struct N(flow) {
  ADDRESS service_address, backend_address;
  __u16 service_port, backend_port;
  __u32 base, generation;
  __u16 rev_nat_index, pad;
} __attribute__((packed, aligned(WIDEST)));
struct N(peer) { ADDRESS address; __u16 port; __u16 pad; } __attribute__((packed, aligned(4)));
struct N(socket_flows) {
  struct N(flow) recent[RECENT_FLOWS];
  __u32 recent_count, older_count;
  struct N(peer) older[OLDER_FLOWS];
} __attribute__((packed, aligned(WIDEST)));

struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 65536); __type(key, struct N(service_key)); __type(value, struct lb_service); } SERVICES SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 262144); __type(key, __u32); __type(value, struct N(slot)); } SLOTS SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_LRU_HASH); __uint(max_entries, 262144); __type(key, struct N(reverse_key)); __type(value, struct N(reverse_entry)); } REVERSE SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_SK_STORAGE); __uint(map_flags, BPF_F_NO_PREALLOC); __type(key, int); __type(value, struct N(socket_flows)); } FLOWS SEC(".maps");

static __always_inline ADDRESS N(read_address)(struct bpf_sock_addr *ctx, int mapped) {
#if FAMILY == 4
  return mapped ? ctx->user_ip6[3] : ctx->user_ip4;
#else
  struct address6 address = { *(__u64 *)&ctx->user_ip6[0], *(__u64 *)&ctx->user_ip6[2] };
  return address;
#endif
}

static __always_inline void N(redirect)(struct bpf_sock_addr *ctx, int mapped, ADDRESS address, __u16 port) {
#if FAMILY == 4
  if (mapped) {
    *(__u64 *)&ctx->user_ip6[0] = 0;
    *(__u64 *)&ctx->user_ip6[2] = ((__u64)address << 32) | MAPPED_MIDDLE;
  } else {
    ctx->user_ip4 = address;
  }
#else
  *(__u64 *)&ctx->user_ip6[0] = address.high;
  *(__u64 *)&ctx->user_ip6[2] = address.low;
#endif
  ctx->user_port = port;
}

static __always_inline int N(same_service)(const struct N(flow) *flow, ADDRESS address, __u16 port) {
  return SAME(flow->service_address, address) && flow->service_port == port;
}

static __always_inline int N(same_backend)(const struct N(flow) *flow, ADDRESS address, __u16 port) {
  return SAME(flow->backend_address, address) && flow->backend_port == port;
}

static __always_inline void N(delete_reverse)(__u64 cookie, ADDRESS address, __u16 port) {
  struct N(reverse_key) key = { .cookie = cookie, .address = address, .port = port };
  bpf_map_delete_elem(&REVERSE, &key);
}

static __always_inline void N(forget_flow)(void *ctx, struct N(flow) *flow) {
  N(delete_reverse)(bpf_get_socket_cookie(ctx), flow->backend_address, flow->backend_port);
  __builtin_memset(flow, 0, sizeof(*flow));
}

static __always_inline struct lb_service *N(find_service)(struct bpf_sock_addr *ctx, ADDRESS address, __u16 port) {
  struct N(service_key) key __attribute__((aligned(8))) = { .address = address, .port = port, .protocol = ctx->protocol };
  return bpf_map_lookup_elem(&SERVICES, &key);
}

static __always_inline int N(refuse)(void) {
  bpf_set_retval(-EHOSTUNREACH);
  return REJECT;
}

static __always_inline struct N(slot) *N(choose_backend)(struct lb_service *service, __u32 seed) {
  __u32 count = service->count, base = service->base;
  if (count == 0) return 0;
  __u32 index = base + (__u32)(((__u64)seed * count) >> 32);
  return bpf_map_lookup_elem(&SLOTS, &index);
}

static __always_inline int N(translate_stream)(struct bpf_sock_addr *ctx, int mapped) {
  struct lb_service *service = N(find_service)(ctx, N(read_address)(ctx, mapped), ctx->user_port);
  if (!service) return PROCEED;
  struct N(slot) *backend = N(choose_backend)(service, bpf_get_prandom_u32());
  if (!backend) return N(refuse)();
  N(redirect)(ctx, mapped, backend->address, backend->port);
  return PROCEED;
}

static __always_inline int N(forget_backend)(struct bpf_sock_addr *ctx, int mapped) {
  struct N(socket_flows) *known = bpf_sk_storage_get(&FLOWS, ctx->sk, 0, 0);
  if (!known) return PROCEED;
  struct N(flow) *found = 0;
#pragma unroll
  for (int i = 0; i < RECENT_FLOWS && !found; i++)
    if (N(same_backend)(&known->recent[i], N(read_address)(ctx, mapped), ctx->user_port)) found = &known->recent[i];
  if (found) N(forget_flow)(ctx, found);
  if (known->older_count != 0) N(delete_reverse)(bpf_get_socket_cookie(ctx), N(read_address)(ctx, mapped), ctx->user_port);
  return PROCEED;
}

static __always_inline void N(keep_older)(struct N(socket_flows) *known, struct N(flow) *flow, __u64 cookie) {
  struct N(peer) *peer = &known->older[known->older_count & (OLDER_FLOWS - 1)];
  if (peer->port != 0) N(delete_reverse)(cookie, peer->address, peer->port);
  struct N(peer) kept = { .address = flow->backend_address, .port = flow->backend_port };
  *peer = kept;
  known->older_count++;
}

static __always_inline void N(place_flow)(
    struct bpf_sock_addr *ctx, int mapped, struct N(socket_flows) *known, const struct N(flow) *flow, __u64 cookie) {
  struct N(flow) *found = 0;
#pragma unroll
  for (int i = 0; i < RECENT_FLOWS && !found; i++) {
    struct N(flow) *other = &known->recent[i];
    if (N(same_service)(other, N(read_address)(ctx, mapped), ctx->user_port) || N(same_backend)(other, flow->backend_address, flow->backend_port)) found = other;
  }
  if (found) {
    if (!N(same_backend)(found, flow->backend_address, flow->backend_port)) N(delete_reverse)(cookie, found->backend_address, found->backend_port);
    *found = *flow;
    return;
  }
  struct N(flow) *next = &known->recent[known->recent_count & (RECENT_FLOWS - 1)];
  known->recent_count++;
  if (next->rev_nat_index != 0) N(keep_older)(known, next, cookie);
  if (known->older_count != 0) {
#pragma clang loop unroll(disable)
    for (__u32 i = 0; i < OLDER_FLOWS; i++) {
      struct N(peer) *peer = &known->older[i];
      if (SAME(peer->address, flow->backend_address) && peer->port == flow->backend_port) __builtin_memset(peer, 0, sizeof(*peer));
    }
  }
  *next = *flow;
}

static __always_inline int N(translate_datagram)(struct bpf_sock_addr *ctx, int mapped) {
  const __u32 first = 0;
  __u32 *now;
  struct N(flow) *found = 0;
  struct N(socket_flows) *known = bpf_sk_storage_get(&FLOWS, ctx->sk, 0, 0);
  if (known) {
    now = bpf_map_lookup_elem(&generation, &first);
    if (!now) return PROCEED;
    __u32 current = *now;
#pragma unroll
    for (int i = 0; i < RECENT_FLOWS && !found; i++) {
      struct N(flow) *flow = &known->recent[i];
      if (N(same_service)(flow, N(read_address)(ctx, mapped), ctx->user_port) && flow->generation == current) found = flow;
    }
    if (found) {
      N(redirect)(ctx, mapped, found->backend_address, found->backend_port);
      return PROCEED;
    }
  }
  struct lb_service *service = N(find_service)(ctx, N(read_address)(ctx, mapped), ctx->user_port);
  if (!service) return N(forget_backend)(ctx, mapped);
  known = bpf_sk_storage_get(&FLOWS, ctx->sk, 0, 0);
  if (known) {
#pragma unroll
    for (int i = 0; i < RECENT_FLOWS && !found; i++) {
      struct N(flow) *flow = &known->recent[i];
      if (N(same_service)(flow, N(read_address)(ctx, mapped), ctx->user_port) && flow->base == service->base && flow->rev_nat_index == service->rev_nat_index) found = flow;
    }
    if (found) {
      now = bpf_map_lookup_elem(&generation, &first);
      if (!now) return PROCEED;
      found->generation = *now;
      N(redirect)(ctx, mapped, found->backend_address, found->backend_port);
      return PROCEED;
    }
  }
  __u64 cookie = bpf_get_socket_cookie(ctx);
  struct N(slot) *backend = N(choose_backend)(service, (__u32)cookie * 0x9e3779b1u);
  if (!backend) return N(refuse)();
  struct N(flow) flow = {
    .service_address = N(read_address)(ctx, mapped), .service_port = ctx->user_port,
    .backend_address = backend->address, .backend_port = backend->port,
    .base = service->base, .rev_nat_index = service->rev_nat_index,
  };
  now = bpf_map_lookup_elem(&generation, &first);
  if (!now) return PROCEED;
  flow.generation = *now;
  known = bpf_sk_storage_get(&FLOWS, ctx->sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
  if (known) N(place_flow)(ctx, mapped, known, &flow, cookie);

  struct N(reverse_key) key = { .cookie = cookie, .address = backend->address, .port = backend->port };
  struct N(reverse_entry) value __attribute__((aligned(8))) = { .address = N(read_address)(ctx, mapped), .port = ctx->user_port, .rev_nat_index = service->rev_nat_index };
  struct N(reverse_entry) *entry = bpf_map_lookup_elem(&REVERSE, &key);
  if (!entry || !(SAME(entry->address, value.address) && entry->port == value.port && entry->rev_nat_index == value.rev_nat_index))
    bpf_map_update_elem(&REVERSE, &key, &value, 0);
  N(redirect)(ctx, mapped, backend->address, backend->port);
  return PROCEED;
}

static __always_inline int N(still_service)(struct bpf_sock_addr *ctx, ADDRESS address, __u16 port, __u16 rev_nat_index) {
  struct lb_service *service = N(find_service)(ctx, address, port);
  return service && service->rev_nat_index == rev_nat_index;
}

static __always_inline int N(translate_reply)(struct bpf_sock_addr *ctx, int mapped) {
  struct N(socket_flows) *known = bpf_sk_storage_get(&FLOWS, ctx->sk, 0, 0);
  if (!known) return PROCEED;
  const __u32 first = 0;
  __u32 *now = bpf_map_lookup_elem(&generation, &first);
  if (!now) return PROCEED;
  __u32 current = *now;
  struct N(flow) *found = 0;
#pragma unroll
  for (int i = 0; i < RECENT_FLOWS && !found; i++) {
    struct N(flow) *flow = &known->recent[i];
    if (N(same_backend)(flow, N(read_address)(ctx, mapped), ctx->user_port) && flow->rev_nat_index != 0) found = flow;
  }
  if (found) {
    ADDRESS address = found->service_address;
    __u16 port = found->service_port, rev_nat_index = found->rev_nat_index;
    if (found->generation != current && !N(still_service)(ctx, address, port, rev_nat_index)) {
      N(forget_flow)(ctx, found);
      return PROCEED;
    }
    N(redirect)(ctx, mapped, address, port);
    return PROCEED;
  }
  if (known->older_count == 0) return PROCEED;
  struct N(reverse_key) key = { .cookie = bpf_get_socket_cookie(ctx), .address = N(read_address)(ctx, mapped), .port = ctx->user_port };
  struct N(reverse_entry) *entry = bpf_map_lookup_elem(&REVERSE, &key);
  if (!entry) return PROCEED;
  if (!N(still_service)(ctx, entry->address, entry->port, entry->rev_nat_index)) {
    bpf_map_delete_elem(&REVERSE, &key);
    return PROCEED;
  }
  N(redirect)(ctx, mapped, entry->address, entry->port);
  return PROCEED;
}

static __always_inline void N(release)(struct bpf_sock *ctx) {
  struct N(socket_flows) *known = bpf_sk_storage_get(&FLOWS, ctx, 0, 0);
  if (!known) return;
  __u64 cookie = bpf_get_socket_cookie(ctx);
#pragma unroll
  for (int i = 0; i < RECENT_FLOWS; i++)
    if (known->recent[i].rev_nat_index != 0) N(delete_reverse)(cookie, known->recent[i].backend_address, known->recent[i].backend_port);
  if (known->older_count == 0) return;
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < OLDER_FLOWS; i++)
    if (known->older[i].port != 0) N(delete_reverse)(cookie, known->older[i].address, known->older[i].port);
}

#undef N
#undef ADDRESS
#undef SAME
#undef SERVICES
#undef SLOTS
#undef REVERSE
#undef FLOWS
#undef WIDEST
