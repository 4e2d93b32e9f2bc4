/**
 * Step 2, its first action: is the destination a service?
 *
 * The filter answers most calls that are not for a service with one read of an
 * array; the others look into the services map. `mayBeService` is the program's half
 * of `filterPlace` in address-filter.ts, which the control plane sets the bits by.
 */
import { PROCEED, u16, u32, u64, u8, type Condition, type Ipv6, type Nullable, type Scalar } from "tsbpf";
import type { AddressCall, Endpoint, RefusableCall, Service } from "./call.ts";
import {
  FILTER_FACTOR,
  FILTER_PORT_SHIFT_IPV6,
  NO_SERVICE,
  Scope,
  serviceFilterShape,
  type FilterPlace,
  type FilterShape,
  type Maps,
} from "./maps.ts";

/** False where the filter rules out a service at this address. */
export function mayBeService(call: RefusableCall): Condition {
  const { b, maps } = call;
  const { word, bit } = filterPlace(call, serviceFilterShape);
  const bits = b.lookup(maps.serviceFilter, word).orReturn(PROCEED);
  return bits.value.shr(bit).and(1).ne(0);
}

/** The service at the address of the call; without one, runs `missing`, which must end the program. */
export function findService(call: RefusableCall, missing: () => void): Service {
  const { b, maps } = call;
  const { services } = maps;
  const likely = mayBeService(call);
  const key = b.struct(services.key, serviceKey(call, call));
  const range = b.variable(u64, 0);
  const revNatIndex = b.variable(u16, 0);
  const flags = b.variable(u16, 0);
  const affinityTimeout = b.variable(u32, 0);
  const read = (found: Nullable<Maps["services"]["value"], 0 | 1>, missing: () => void, torn: () => void) => {
    const service = found.orElse(missing);
    range.set(service.range);
    revNatIndex.set(service.revNatIndex);
    flags.set(service.flags);
    affinityTimeout.set(service.affinityTimeout);
    b.if(b.equal(service.key, key).not(), torn);
  };
  // If another service took the element during the read, look it up once more; the second time, fail the call.
  read(b.lookupIf(likely, services, key), missing, () =>
    read(
      b.lookup(services, key),
      () => b.return(PROCEED),
      () => {
        call.count(NO_SERVICE, "tornValues");
        call.refuse();
      },
    ),
  );
  return {
    revNatIndex: revNatIndex.get(),
    flags: flags.get(),
    affinityTimeout: affinityTimeout.get(),
    base: range.get().to(u32),
    count: range.get().shr(32).to(u32),
  };
}

/** Runs `otherwise` if the service at this front end no longer has this `revNatIndex`. */
export function unlessStillService(
  call: AddressCall,
  front: Endpoint & { revNatIndex: Scalar<"u16"> },
  otherwise: () => void,
): void {
  const { b, maps } = call;
  b.lookup(maps.services, serviceKey(call, front)).match(
    (service) => b.if(service.revNatIndex.ne(front.revNatIndex), otherwise),
    otherwise,
  );
}

function serviceKey(call: AddressCall, { address, port }: Endpoint) {
  // The low byte suffices: MPTCP (262) shares TCP's, and is balanced as TCP.
  return { address, port, protocol: call.protocol.to(u8), scope: Scope.EVERYWHERE };
}

/** Where in a filter the call's address and port are. Of the bit's number only the lower six bits count. */
function filterPlace({ ownAddress, port }: AddressCall, shape: FilterShape): FilterPlace<Scalar<"u32">, Scalar<"u64">> {
  return ownAddress.kind === "ipv6" ? placeOfIpv6(ownAddress, port, shape) : placeOfIpv4(ownAddress, port, shape);
}

function placeOfIpv4(
  address: Scalar<"be32">,
  port: Scalar<"be16">,
  { groupBits, network, host, factor }: FilterShape,
): FilterPlace<Scalar<"u32">, Scalar<"u64">> {
  const own = address.toHost().shr(host);
  const hash = own
    .to(u64)
    .or(
      port
        .toHost()
        .to(u64)
        .shl(32 - host),
    )
    .mul(FILTER_FACTOR);
  return placeOf(
    own
      .shr(network - host)
      .mul(factor)
      .shr(32 - groupBits),
    hash,
  );
}

function placeOfIpv6(
  address: Ipv6,
  port: Scalar<"be16">,
  { groupBits, host }: FilterShape,
): FilterPlace<Scalar<"u32">, Scalar<"u64">> {
  const [first, last] = address.halves();
  const upper = first.toHost().mul(FILTER_FACTOR);
  const hash = upper
    .xor(last.toHost().shr(host))
    .xor(port.toHost().to(u64).shl(FILTER_PORT_SHIFT_IPV6))
    .mul(FILTER_FACTOR);
  return placeOf(upper.shr(64 - groupBits).to(u32), hash);
}

function placeOf(group: Scalar<"u32">, hash: Scalar<"u64">): FilterPlace<Scalar<"u32">, Scalar<"u64">> {
  return { word: group.shl(3).or(hash.shr(61).to(u32)), bit: hash.shr(55) };
}
