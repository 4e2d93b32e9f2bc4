/* Included once per address family. `mapped`: the context's address is IPv4-mapped. */
#if FAMILY == 4
#define N(name) name##4
#define ADDRESS __u32
#define SAME(a, b) ((a) == (b))
#define SERVICES services
#define SLOTS slots
#define REVERSE cilium_lb4_reverse_sk
#define FLOWS flows
#define KNOWN_BACKENDS backends
#define FILTER service_filter
#define OLDER older_flows
#else
#define N(name) name##6
#define ADDRESS struct address6
#define SAME(a, b)                                                                              \
  ((a).word[0] == (b).word[0] && (a).word[1] == (b).word[1] && (a).word[2] == (b).word[2] &&    \
   (a).word[3] == (b).word[3])
#define SERVICES services6
#define SLOTS slots6
#define REVERSE cilium_lb6_reverse_sk
#define FLOWS flows6
#define KNOWN_BACKENDS backends6
#define FILTER service_filter6
#define OLDER older_flows6
#endif

struct N(service_key) { ADDRESS address; __u16 port; __u8 protocol; __u8 scope; } __attribute__((packed, aligned(4)));
struct N(service) { struct N(service_key) key; __u16 rev_nat_index, flags; __u32 affinity_timeout; __u64 range; };
struct N(backend_key) { ADDRESS address; __u16 port, rev_nat_index; } __attribute__((packed, aligned(4)));
struct N(slot) { ADDRESS address; __u16 port; __u16 state; } __attribute__((packed, aligned(4)));
struct N(reverse_key) { __u64 cookie; ADDRESS address; __u16 port; __u16 pad; } __attribute__((packed, aligned(8)));
struct N(reverse_entry) { ADDRESS address; __u16 port; __u16 rev_nat_index; } __attribute__((packed, aligned(4)));
struct N(flow) {
  ADDRESS service_address, backend_address;
  __u16 service_port, backend_port;
  __u32 generation;
  __u16 rev_nat_index, pad;
} __attribute__((packed, aligned(4)));
struct N(peer) { ADDRESS address; __u16 port; __u16 pad; } __attribute__((packed, aligned(4)));
struct N(socket_flows) {
  __u32 entered, recent_count, older_count;
  struct N(flow) recent[RECENT_FLOWS];
} __attribute__((packed, aligned(4)));
struct N(older_flows) { struct N(peer) peers[OLDER_FLOWS]; };

struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 65536); __type(key, struct N(service_key)); __type(value, struct N(service)); } SERVICES SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 262144); __type(key, __u32); __type(value, struct N(slot)); } SLOTS SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 262144); __uint(map_flags, BPF_F_NO_PREALLOC); __type(key, struct N(backend_key)); __type(value, __u32); } KNOWN_BACKENDS SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_LRU_HASH); __uint(max_entries, 262144); __type(key, struct N(reverse_key)); __type(value, struct N(reverse_entry)); } REVERSE SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_SK_STORAGE); __uint(map_flags, BPF_F_NO_PREALLOC); __type(key, int); __type(value, struct N(socket_flows)); } FLOWS SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_SK_STORAGE); __uint(map_flags, BPF_F_NO_PREALLOC); __type(key, int); __type(value, struct N(older_flows)); } OLDER SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1024); __type(key, __u32); __type(value, __u64); } FILTER SEC(".maps");

static __always_inline ADDRESS N(read_address)(struct bpf_sock_addr *ctx, int mapped) {
#if FAMILY == 4
  return mapped ? ctx->user_ip6[3] : ctx->user_ip4;
#else
  struct address6 address = { { ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3] } };
  return address;
#endif
}

static __always_inline void N(redirect)(struct bpf_sock_addr *ctx, int mapped, ADDRESS address, __u16 port) {
#if FAMILY == 4
  if (mapped) {
    ctx->user_ip6[0] = 0;
    ctx->user_ip6[1] = 0;
    ctx->user_ip6[2] = MAPPED_MIDDLE;
    ctx->user_ip6[3] = address;
  } else {
    ctx->user_ip4 = address;
  }
#else
  ctx->user_ip6[0] = address.word[0];
  ctx->user_ip6[1] = address.word[1];
  ctx->user_ip6[2] = address.word[2];
  ctx->user_ip6[3] = address.word[3];
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

static __always_inline void N(write_reverse)(struct N(socket_flows) *known, __u64 cookie, const struct N(flow) *flow) {
  known->entered = 1;
  struct N(reverse_key) key = { .cookie = cookie, .address = flow->backend_address, .port = flow->backend_port };
  struct N(reverse_entry) value = { .address = flow->service_address, .port = flow->service_port, .rev_nat_index = flow->rev_nat_index };
  bpf_map_update_elem(&REVERSE, &key, &value, 0);
}

static __always_inline void N(forget_flow)(void *ctx, struct N(flow) *flow) {
  N(delete_reverse)(bpf_get_socket_cookie(ctx), flow->backend_address, flow->backend_port);
  __builtin_memset(flow, 0, sizeof(*flow));
}

static __always_inline int N(refuse)(int error) {
  bpf_set_retval(-error);
  return REJECT;
}

static __always_inline int N(may_be_service)(struct bpf_sock_addr *ctx, int mapped) {
  __u64 port = bpf_ntohs(ctx->user_port);
#if FAMILY == 4
  __u32 network = bpf_ntohl(N(read_address)(ctx, mapped)) >> 8;
  __u64 hash = (network | port << 24) * FILTER_FACTOR;
  __u32 group = ((network >> 8) * FILTER_FACTOR_32) >> 25;
#else
  __u64 upper = bpf_be64_to_cpu(*(__u64 *)ctx->user_ip6) * FILTER_FACTOR;
  __u64 hash = (upper ^ bpf_be64_to_cpu(*(__u64 *)(ctx->user_ip6 + 2)) >> 8 ^ port << 48) * FILTER_FACTOR;
  __u32 group = upper >> 57;
#endif
  __u32 word = group << 3 | hash >> 61;
  __u64 *bits = bpf_map_lookup_elem(&FILTER, &word);
  return bits && (*bits >> (hash >> 55 & 63) & 1);
}

/* A consistent copy of a service. */
struct N(found) { __u64 range; __u16 rev_nat_index; };

enum N(outcome) { N(FOUND), N(MISSING), N(TORN), N(GONE) };

static __always_inline int N(look)(const struct N(service_key) *key, struct N(found) *found) {
  struct N(service) *service = bpf_map_lookup_elem(&SERVICES, key);
  if (!service) return N(MISSING);
  found->range = service->range;
  found->rev_nat_index = service->rev_nat_index;
  return SAME(service->key.address, key->address) && service->key.port == key->port
    && service->key.protocol == key->protocol && service->key.scope == key->scope ? N(FOUND) : N(TORN);
}

static __always_inline int N(find_service)(struct bpf_sock_addr *ctx, int mapped, struct N(found) *found) {
  if (!N(may_be_service)(ctx, mapped)) return N(MISSING);
  struct N(service_key) key = { .address = N(read_address)(ctx, mapped), .port = ctx->user_port, .protocol = ctx->protocol };
  int outcome = N(look)(&key, found);
  if (outcome != N(TORN)) return outcome;
  outcome = N(look)(&key, found);
  return outcome == N(MISSING) ? N(GONE) : outcome;
}

static __always_inline struct N(slot) *N(choose_backend)(const struct N(found) *service, __u32 seed) {
  __u32 count = service->range >> 32, base = (__u32)service->range;
  if (count == 0) return 0;
  __u32 index = base + (__u32)(((__u64)seed * count) >> 32);
  return bpf_map_lookup_elem(&SLOTS, &index);
}

static __always_inline int N(translate_stream)(struct bpf_sock_addr *ctx, int mapped) {
  struct N(found) service;
  int outcome = N(find_service)(ctx, mapped, &service);
  if (outcome == N(TORN)) return N(refuse)(ECONNREFUSED);
  if (outcome != N(FOUND)) return PROCEED;
  struct N(slot) *backend = N(choose_backend)(&service, bpf_get_prandom_u32());
  if (!backend) return N(refuse)(ECONNREFUSED);
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

static __always_inline void N(keep_older)(struct bpf_sock_addr *ctx, struct N(socket_flows) *known, struct N(flow) *flow, __u64 cookie) {
  struct N(older_flows) *older = bpf_sk_storage_get(&OLDER, ctx->sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
  if (!older) {
    N(delete_reverse)(cookie, flow->backend_address, flow->backend_port);
    return;
  }
  struct N(peer) *peer = &older->peers[known->older_count & (OLDER_FLOWS - 1)];
  if (peer->port != 0) N(delete_reverse)(cookie, peer->address, peer->port);
  struct N(peer) kept = { .address = flow->backend_address, .port = flow->backend_port };
  *peer = kept;
  known->older_count++;
  N(write_reverse)(known, cookie, flow);
}

static __always_inline struct N(flow) *N(with_backend)(struct N(socket_flows) *known, const struct N(flow) *flow) {
  struct N(flow) *found = 0;
#pragma unroll
  for (int i = 0; i < RECENT_FLOWS && !found; i++)
    if (N(same_backend)(&known->recent[i], flow->backend_address, flow->backend_port)) found = &known->recent[i];
  return found;
}

static __always_inline void N(place_flow)(
    struct bpf_sock_addr *ctx, int mapped, struct N(socket_flows) *known, const struct N(flow) *flow, __u64 cookie) {
  if (known->older_count != 0) {
    struct N(older_flows) *older = bpf_sk_storage_get(&OLDER, ctx->sk, 0, 0);
    if (older) {
#pragma clang loop unroll(disable)
      for (__u32 i = 0; i < OLDER_FLOWS; i++) {
        struct N(peer) *peer = &older->peers[i];
        if (SAME(peer->address, flow->backend_address) && peer->port == flow->backend_port) __builtin_memset(peer, 0, sizeof(*peer));
      }
    }
  }
  struct N(flow) *found = 0;
#pragma unroll
  for (int i = 0; i < RECENT_FLOWS && !found; i++)
    if (N(same_service)(&known->recent[i], N(read_address)(ctx, mapped), ctx->user_port)) found = &known->recent[i];
  if (found) {
    if (!N(same_backend)(found, flow->backend_address, flow->backend_port)) {
      N(delete_reverse)(cookie, found->backend_address, found->backend_port);
      struct N(flow) *other = N(with_backend)(known, flow);
      if (other) __builtin_memset(other, 0, sizeof(*other));
    }
    *found = *flow;
    return;
  }
  found = N(with_backend)(known, flow);
  if (found) {
    *found = *flow;
    return;
  }
  struct N(flow) *next = &known->recent[known->recent_count & (RECENT_FLOWS - 1)];
  known->recent_count++;
  if (next->rev_nat_index != 0) N(keep_older)(ctx, known, next, cookie);
  *next = *flow;
}

static __always_inline int N(translate_datagram)(struct bpf_sock_addr *ctx, int mapped) {
  const __u32 first = 0;
  struct N(flow) *found = 0;
  __u32 *element = bpf_map_lookup_elem(&generation, &first);
  if (!element) return PROCEED;
  __u32 now = *element;
  struct N(socket_flows) *known = bpf_sk_storage_get(&FLOWS, ctx->sk, 0, 0);
  if (known) {
#pragma unroll
    for (int i = 0; i < RECENT_FLOWS && !found; i++) {
      struct N(flow) *flow = &known->recent[i];
      if (N(same_service)(flow, N(read_address)(ctx, mapped), ctx->user_port) && flow->generation == now) found = flow;
    }
    if (found) {
      N(redirect)(ctx, mapped, found->backend_address, found->backend_port);
      return PROCEED;
    }
  } else if (!N(may_be_service)(ctx, mapped)) {
    return PROCEED;
  }
  struct N(found) service;
  int outcome = N(find_service)(ctx, mapped, &service);
  if (outcome == N(TORN)) return N(refuse)(EHOSTUNREACH);
  if (outcome == N(GONE)) return PROCEED;
  if (outcome == N(MISSING)) return N(forget_backend)(ctx, mapped);
  known = bpf_sk_storage_get(&FLOWS, ctx->sk, 0, 0);
  if (known) {
#pragma unroll
    for (int i = 0; i < RECENT_FLOWS && !found; i++) {
      struct N(flow) *flow = &known->recent[i];
      if (N(same_service)(flow, N(read_address)(ctx, mapped), ctx->user_port) && flow->rev_nat_index == service.rev_nat_index) found = flow;
    }
    if (found) {
      struct N(backend_key) key = { .address = found->backend_address, .port = found->backend_port, .rev_nat_index = service.rev_nat_index };
      if (bpf_map_lookup_elem(&KNOWN_BACKENDS, &key)) {
        found->generation = now;
        N(redirect)(ctx, mapped, found->backend_address, found->backend_port);
        return PROCEED;
      }
    }
  }
  __u64 cookie = bpf_get_socket_cookie(ctx);
  struct N(slot) *backend = N(choose_backend)(&service, (__u32)cookie * 0x9e3779b1u);
  if (!backend) return N(refuse)(EHOSTUNREACH);

  struct N(flow) flow = {
    .service_address = N(read_address)(ctx, mapped), .service_port = ctx->user_port,
    .backend_address = backend->address, .backend_port = backend->port,
    .generation = now, .rev_nat_index = service.rev_nat_index,
  };
  known = bpf_sk_storage_get(&FLOWS, ctx->sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
  if (known) known = bpf_sk_storage_get(&FLOWS, ctx->sk, 0, 0);
  if (known) {
    N(place_flow)(ctx, mapped, known, &flow, cookie);
    N(write_reverse)(known, cookie, &flow);
  }
  N(redirect)(ctx, mapped, backend->address, backend->port);
  return PROCEED;
}

static __always_inline int N(still_service)(struct bpf_sock_addr *ctx, ADDRESS address, __u16 port, __u16 rev_nat_index) {
  struct N(service_key) key = { .address = address, .port = port, .protocol = ctx->protocol };
  struct N(service) *service = bpf_map_lookup_elem(&SERVICES, &key);
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
  if (!known || !known->entered) return;
  __u64 cookie = bpf_get_socket_cookie(ctx);
#pragma unroll
  for (int i = 0; i < RECENT_FLOWS; i++)
    if (known->recent[i].rev_nat_index != 0) N(delete_reverse)(cookie, known->recent[i].backend_address, known->recent[i].backend_port);
  if (known->older_count == 0) return;
  struct N(older_flows) *older = bpf_sk_storage_get(&OLDER, ctx, 0, 0);
  if (!older) return;
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < OLDER_FLOWS; i++)
    if (older->peers[i].port != 0) N(delete_reverse)(cookie, older->peers[i].address, older->peers[i].port);
}

#undef N
#undef ADDRESS
#undef SAME
#undef SERVICES
#undef SLOTS
#undef REVERSE
#undef FLOWS
#undef KNOWN_BACKENDS
#undef FILTER
#undef OLDER
