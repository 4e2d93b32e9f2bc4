import type { AnyContext, Field, KernelPointer, Scalar, SockAddr4, SockAddr6 } from "../src/dsl/index.ts";
import { maps4, maps6, type Maps } from "./maps.ts";

/** An address and port, wherever they are: in a flow, a slot, a service's key. */
export interface Endpoint {
  readonly address: Scalar<"be32">;
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
  readonly address: Field<"be32">;
  readonly port: Field<"be16">;
}

/** An IPv4 socket's address. */
export const ipv4Address = (ctx: SockAddr4): SocketAddress => addressOf(ctx, maps4, () => ctx.userIp4);

/** An IPv6 socket's address; see `maps6` for why its type is that of an IPv4 one. */
export const ipv6Address = (ctx: SockAddr6): SocketAddress => addressOf(ctx, maps6, () => ctx.userIp6 as unknown as Field<"be32">);

/** The IPv4 address that an IPv6 socket names in its mapped form. */
export const mappedAddress = (ctx: SockAddr6): SocketAddress => addressOf(ctx, maps4, () => {
  const address = ctx.userIp6;
  return Object.assign(address.v4(), { set: (value: Scalar<"be32">) => address.setV4Mapped(value) }) as Field<"be32">;
});

function addressOf(ctx: SockAddr4 | SockAddr6, maps: Maps, address: () => Field<"be32">): SocketAddress {
  return {
    maps,
    context: ctx,
    get sk() { return ctx.sk; },
    get protocol() { return ctx.protocol; },
    get address() { return address(); },
    get port() { return ctx.userPort; },
  };
}
