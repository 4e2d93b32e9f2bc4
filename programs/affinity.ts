import { u32, u64, type BuilderWith, type Ref } from "tsbpf";
import { BackendState, type Peer, type Slot } from "./maps.ts";
import { count } from "./metrics.ts";
import type { DataPathOptions } from "./options.ts";
import type { FoundService } from "./service.ts";
import type { SocketAddress } from "./socket-address.ts";

const NANOSECONDS = 1_000_000_000n;

/**
 * The backend that this client, a network namespace, had from the service
 * within its affinity timeout, if it is active still; else the one that
 * `choose` gives, from now on.
 */
export function keptBackend(
  b: BuilderWith<"getNetnsCookie" | "ktimeGetNs">,
  to: SocketAddress,
  { revNatIndex, affinityTimeout }: FoundService,
  choose: () => Ref<Slot>,
  options: DataPathOptions,
): Ref<Peer> {
  const { maps, context } = to;
  const backend = b.zeroed(maps.olderFlows.value.fields.peers.element);
  const found = b.variable(u32, 0);
  const client = b.struct(maps.affinity.key, { netnsCookie: b.getNetnsCookie(context), revNatIndex });
  const now = b.ktimeGetNs();
  b.if(affinityTimeout.ne(0), () => {
    b.lookup(maps.affinity, client).ifFound((last) => {
      const { address, port } = last;
      b.if(now.sub(last.lastUsed).le(affinityTimeout.to(u64).mul(NANOSECONDS)), () => {
        b.lookup(maps.backends, { address, port, revNatIndex }).ifFound((state) =>
          b.if(state.value.eq(BackendState.ACTIVE), () => {
            last.lastUsed.set(now);
            b.assign(backend, { address, port });
            found.set(1);
          }),
        );
      });
    });
  });
  b.if(found.get().eq(0), () => {
    const { address, port } = choose();
    b.assign(backend, { address, port });
    b.if(affinityTimeout.ne(0), () => {
      const result = b.update(maps.affinity, client, { lastUsed: now, address, port });
      if (options.metrics) b.if(result.ne(0), () => count(b, to, options, revNatIndex, "affinityUpdateFailed"));
    });
  });
  return backend;
}
