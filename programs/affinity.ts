/** Session affinity: a client keeps its backend for as long as the service's timeout says. */
import { u32, u64 } from "tsbpf";
import type { Features } from "./call.ts";
import { BackendState } from "./maps.ts";

const NANOSECONDS = 1_000_000_000n;

/**
 * The backend that this client, a network namespace, last had from the service:
 * if that is within the affinity timeout and the backend is still active. Else
 * the one that `select` gives, which the client keeps from now on.
 */
export const affinity: NonNullable<Features["affinity"]> = (call, { revNatIndex, affinityTimeout }, select) => {
  const { b, maps } = call;
  const backend = b.zeroed(maps.flowNames.value);
  const found = b.variable(u32, 0);
  const client = b.struct(maps.affinity.key, { netnsCookie: call.netnsCookie(), revNatIndex });
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
    const { address, port } = select();
    b.assign(backend, { address, port });
    b.if(affinityTimeout.ne(0), () => {
      const result = b.update(maps.affinity, client, { lastUsed: now, address, port });
      call.countFailure(result, revNatIndex, "affinityUpdateFailed");
    });
  });
  return backend;
};
