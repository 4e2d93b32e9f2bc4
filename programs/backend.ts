import type { BuilderWith, Ref, Scalar } from "../src/dsl/index.ts";
import { u32, u64 } from "../src/types/index.ts";
import { keptBackend } from "./affinity.ts";
import type { Peer, Slot } from "./maps.ts";
import { count } from "./metrics.ts";
import type { DataPathOptions } from "./options.ts";
import { refuse, type FoundService } from "./service.ts";
import type { Endpoint, SocketAddress } from "./socket-address.ts";

/**
 * One of the service's backends, for a number that is spread evenly over 32
 * bits, or the one that the client keeps. A service without any refuses the call.
 */
export function chooseBackend(
  b: BuilderWith<"getNetnsCookie" | "ktimeGetNs" | "setRetval", 0 | 1>,
  to: SocketAddress, service: FoundService, seed: () => Scalar<"u32">, options: DataPathOptions,
): Ref<Peer> | Ref<Slot> {
  b.if(service.count.eq(0), () => {
    count(b, options, service.revNatIndex, "noBackend");
    refuse(b, options);
  });
  count(b, options, service.revNatIndex, "translated");
  const choose = () => slotFor(b, to, service, seed(), options);
  return options.affinity ? keptBackend(b, to, service, choose) : choose();
}

function slotFor(
  b: BuilderWith<"setRetval", 0 | 1>, { maps }: SocketAddress, { base, count: slots }: FoundService, seed: Scalar<"u32">, options: DataPathOptions,
): Ref<Slot> {
  // In proportion to where the seed is among the 32-bit numbers: a multiplication where a remainder would divide.
  const index = seed.to(u64).mul(slots.to(u64)).shr(32).to(u32);
  return b.lookup(maps.slots, base.add(index)).orElse(() => refuse(b, options));
}

/** The same number for the whole life of a socket. Consecutive cookies are spread by Knuth's multiplicative hash. */
export function seedOfSocket(b: BuilderWith<"getSocketCookie">, to: SocketAddress): Scalar<"u32"> {
  return b.getSocketCookie(to.context).to(u32).mul(0x9e37_79b1);
}

/** Sends the socket to the backend. */
export function redirect(to: SocketAddress, backend: Endpoint): void {
  to.address.set(backend.address);
  to.port.set(backend.port);
}
