import { u32, u64, type BuilderWith, type Ref, type Scalar } from "tsbpf";
import { keptBackend } from "./affinity.ts";
import { ServiceFlag, sources, type Peer, type Slot } from "./maps.ts";
import { count } from "./metrics.ts";
import { refuse, type FoundService, type RefusalOptions } from "./service.ts";
import type { Endpoint, SocketAddress } from "./socket-address.ts";

/**
 * One of the service's backends, for a number that is spread evenly over 32
 * bits, or the one that the client keeps. A service without any refuses the call.
 */
export function chooseBackend(
  b: BuilderWith<"getNetnsCookie" | "ktimeGetNs" | "setRetval", 0 | 1>,
  to: SocketAddress,
  service: FoundService,
  seed: () => Scalar<"u32">,
  options: RefusalOptions,
): Ref<Peer> | Ref<Slot> {
  b.if(service.count.eq(0), () => {
    count(b, to, options, service.revNatIndex, "noBackend");
    refuse(b, options);
  });
  const choose = () => slotFor(b, to, service, options.maglev ? seedWithMaglev(b, to, service, seed) : seed(), options);
  const backend = options.affinity ? keptBackend(b, to, service, choose, options) : choose();
  count(b, to, options, service.revNatIndex, "translated");
  return backend;
}

function slotFor(
  b: BuilderWith<"setRetval", 0 | 1>,
  to: SocketAddress,
  { base, count: slots, revNatIndex }: FoundService,
  seed: Scalar<"u32">,
  options: RefusalOptions,
): Ref<Slot> {
  // In proportion to where the seed is among the 32-bit numbers: a multiplication where a remainder would divide.
  const index = seed.to(u64).mul(slots.to(u64)).shr(32).to(u32);
  return b.lookup(to.maps.slots, base.add(index)).orElse(() => {
    count(b, to, options, revNatIndex, "noBackend");
    refuse(b, options);
  });
}

/** Where the service's slots are a Maglev table, the number of the socket's source; else the one that is given. */
function seedWithMaglev(
  b: BuilderWith<"getNetnsCookie">,
  to: SocketAddress,
  { flags }: FoundService,
  otherwise: () => Scalar<"u32">,
): Scalar<"u32"> {
  const seed = b.variable(u32, 0);
  b.if(
    flags.hasBits(ServiceFlag.MAGLEV),
    () => {
      const namespace = b.getNetnsCookie(to.context);
      b.lookup(sources, namespace).match(
        (source) => seed.set(source.value),
        () => seed.set(spread(namespace)),
      );
    },
    () => seed.set(otherwise()),
  );
  return seed.get();
}

/** The same number for the whole life of a socket. */
export function seedOfSocket(b: BuilderWith<"getSocketCookie">, to: SocketAddress): Scalar<"u32"> {
  return spread(b.getSocketCookie(to.context));
}

/** Spreads consecutive cookies over 32 bits, by Knuth's multiplicative hash. */
const spread = (cookie: Scalar<"u64">): Scalar<"u32"> => cookie.to(u32).mul(0x9e37_79b1);

/** Sends the socket to the backend. */
export function redirect(to: SocketAddress, backend: Endpoint): void {
  to.address.set(backend.address);
  to.port.set(backend.port);
}
