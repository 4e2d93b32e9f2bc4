import {
  u32,
  u64,
  type AnyContext,
  type Field,
  type IpAddress,
  type IpAddressField,
  type Ipv6,
  type KernelPointer,
  type Scalar,
  type SockAddr4,
  type SockAddr6,
} from "tsbpf";
import { maps4, maps6, type Maps } from "./maps.ts";
import { FILTER_FACTOR, FILTER_FACTOR_32, FILTER_PORT_SHIFT, type FilterPlace } from "./service-filter.ts";

/** An address and port, wherever they are: in a flow, a slot, a service's key. */
export interface Endpoint {
  readonly address: IpAddress;
  readonly port: Scalar<"be16">;
}

/**
 * The address that a system call is about, with the maps of its family. The
 * steps that the programs share see this, and so serve every family.
 */
export interface SocketAddress {
  readonly maps: Maps;
  readonly context: AnyContext;
  readonly sk: KernelPointer<"bpf_sock">;
  /** IP protocol number. */
  readonly protocol: Scalar<"u32">;
  /** Of `maps`' family; read anew each time that it is named. */
  readonly address: IpAddressField;
  readonly port: Field<"be16">;
  /** Of the address and port, in `maps`' service filter. The bit's upper bits are of no meaning. */
  readonly filterPlace: FilterPlace<Scalar<"u32">, Scalar<"u64">>;
}

/** An IPv4 socket's address. */
export const ipv4Address = (ctx: SockAddr4): SocketAddress =>
  addressOf(
    ctx,
    maps4,
    () => ctx.userIp4,
    () => placeOfIpv4(ctx.userIp4, ctx.userPort),
  );

/** An IPv6 socket's address. */
export const ipv6Address = (ctx: SockAddr6): SocketAddress =>
  addressOf(
    ctx,
    maps6,
    () => ctx.userIp6,
    () => placeOfIpv6(ctx.userIp6, ctx.userPort),
  );

/** The IPv4 address that an IPv6 socket names in its mapped form. */
export const mappedAddress = (ctx: SockAddr6): SocketAddress =>
  addressOf(
    ctx,
    maps4,
    () => ctx.userIp6.v4(),
    () => placeOfIpv4(ctx.userIp6.v4(), ctx.userPort),
  );

function addressOf(
  ctx: SockAddr4 | SockAddr6,
  maps: Maps,
  address: () => IpAddressField,
  filterPlace: () => SocketAddress["filterPlace"],
): SocketAddress {
  return {
    maps,
    context: ctx,
    get sk() {
      return ctx.sk;
    },
    get protocol() {
      return ctx.protocol;
    },
    get address() {
      return address();
    },
    get port() {
      return ctx.userPort;
    },
    get filterPlace() {
      return filterPlace();
    },
  };
}

function placeOfIpv4(address: Scalar<"be32">, port: Scalar<"be16">): SocketAddress["filterPlace"] {
  const network = address.toHost().shr(8);
  const hash = network.to(u64).or(port.toHost().to(u64).shl(FILTER_PORT_SHIFT.ipv4)).mul(FILTER_FACTOR);
  return placeOf(network.shr(8).mul(FILTER_FACTOR_32).shr(25), hash);
}

function placeOfIpv6(address: Ipv6, port: Scalar<"be16">): SocketAddress["filterPlace"] {
  const [first, last] = address.halves();
  const upper = first.toHost().mul(FILTER_FACTOR);
  const hash = upper
    .xor(last.toHost().shr(8))
    .xor(port.toHost().to(u64).shl(FILTER_PORT_SHIFT.ipv6))
    .mul(FILTER_FACTOR);
  return placeOf(upper.shr(57).to(u32), hash);
}

function placeOf(group: Scalar<"u32">, hash: Scalar<"u64">): SocketAddress["filterPlace"] {
  return { word: group.shl(3).or(hash.shr(61).to(u32)), bit: hash.shr(55) };
}
