/** Step 2, its second action: select one of the service's backends. */
import { u32, u64, type Ref, type Scalar } from "tsbpf";
import type { Call, Endpoint, RefusableCall, Service } from "./call.ts";
import { ServiceFlag, sources, type Slot } from "./maps.ts";

/**
 * One of the service's backends. A service without any refuses the call.
 * @param seed a number spread evenly over 32 bits
 */
export function selectBackend(call: RefusableCall, service: Service, seed: () => Scalar<"u32">): Endpoint {
  const { b, options, features } = call;
  b.if(service.count.eq(0), () => refuseWithoutBackend(call, service));
  const select = () => slotFor(call, service, options.maglev ? sourceOr(call, service, seed) : seed());
  return features.affinity === undefined ? select() : features.affinity(call, service, select);
}

function slotFor(call: RefusableCall, service: Service, seed: Scalar<"u32">): Ref<Slot> {
  // The seed's share of the 32-bit numbers, as a share of the slots: one multiplication in place of a division.
  const index = seed.to(u64).mul(service.count.to(u64)).shr(32).to(u32);
  return call.b.lookup(call.maps.slots, service.base.add(index)).orElse(() => refuseWithoutBackend(call, service));
}

function refuseWithoutBackend(call: RefusableCall, { revNatIndex }: Service): void {
  call.count(revNatIndex, "noBackend");
  call.refuse();
}

/** Where the service's slots are a Maglev table, the number of the socket's source; else the seed. */
function sourceOr(call: Call, { flags }: Service, seed: () => Scalar<"u32">): Scalar<"u32"> {
  const { b } = call;
  const chosen = b.variable(u32, 0);
  b.if(
    flags.hasBits(ServiceFlag.MAGLEV),
    () => {
      const namespace = call.netnsCookie();
      b.lookup(sources, namespace).match(
        (source) => chosen.set(source.value),
        () => chosen.set(spread(namespace)),
      );
    },
    () => chosen.set(seed()),
  );
  return chosen.get();
}

/** A seed that stays the same for the life of the socket. */
export const seedOfSocket = (call: Call): Scalar<"u32"> => spread(call.cookie());

/** Spreads consecutive cookies over 32 bits, by Knuth's multiplicative hash. */
const spread = (cookie: Scalar<"u64">): Scalar<"u32"> => cookie.to(u32).mul(0x9e37_79b1);
