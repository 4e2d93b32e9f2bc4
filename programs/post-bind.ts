/**
 * Beside the article's steps: a service that takes a port of the host's own
 * addresses keeps processes of the host's network namespace from binding it. In
 * other namespaces the port is free.
 */
import {
  arrayOf,
  cgroup,
  helper,
  PROCEED,
  REJECT,
  struct,
  u16,
  u8,
  type BuilderWith,
  type Condition,
  type ContextOf,
} from "tsbpf";
import { Call, type CallHelper, type Features } from "./call.ts";
import { isOfHost } from "./host-namespace.ts";
import { maps4, maps6, Scope, type Maps } from "./maps.ts";

/** bind(2) to an IPv4 address. */
export const postBind4 = (features: Features) =>
  cgroup.postBind4("post_bind4", (b, ctx) => {
    refuseNodePort(b, ctx, maps4, "0.0.0.0", features);
    return PROCEED;
  });

/**
 * bind(2) of an IPv6 socket. At a mapped address it takes the port from IPv4
 * alone, at `::` from both families unless it is IPv6-only, and at any other
 * address from IPv6 alone.
 */
export const postBind6 = (features: Features) =>
  cgroup.postBind6("post_bind6", (b, ctx) => {
    const address = ctx.srcIp6;
    b.if(address.isV4Mapped().not(), () => {
      refuseNodePort(b, ctx, maps6, "::", features);
      b.if(address.ne("::"), () => b.return(PROCEED));
    });
    const { ipv6OnlyBit } = features.options;
    // No IPv6-only socket has a mapped address.
    refuseNodePort(b, ctx, maps4, "0.0.0.0", features, () => {
      if (ipv6OnlyBit !== undefined) b.if(isIpv6Only(b, ctx, ipv6OnlyBit), () => b.return(PROCEED));
    });
    return PROCEED;
  });

/** The hooks on bind(2) get the kernel's `struct sock` as context; it begins with `struct sock_common`. */
const readKernel = helper("bpf_probe_read_kernel", { arguments: ["memory", "u32", "context"], returns: "i64" });

/** IPV6_V6ONLY is set: no field of `struct bpf_sock` tells, so it is read from the kernel's own struct. */
function isIpv6Only(
  b: BuilderWith<CallHelper, 0 | 1>,
  ctx: ContextOf<typeof cgroup.postBind6>,
  bit: number,
): Condition {
  const byte = bit >> 3;
  const SockHead = struct("sock_head", { before: arrayOf(u8, byte), flags: u8 });
  const head = b.zeroed(SockHead);
  void readKernel(b, head, SockHead.size, ctx);
  return head.flags.and(1 << (bit & 7)).ne(0);
}

/** @param exempt runs if the port is a node port, and may end the program */
function refuseNodePort(
  b: BuilderWith<CallHelper, 0 | 1>,
  ctx: ContextOf<typeof cgroup.postBind4> | ContextOf<typeof cgroup.postBind6>,
  maps: Maps,
  unspecified: string,
  features: Features,
  exempt: () => void = () => {},
): void {
  const key = {
    address: unspecified,
    port: ctx.srcPort.to(u16).toBig(),
    protocol: ctx.protocol.to(u8),
    scope: Scope.NODE_PORT,
  };
  const call = new Call(b, maps, ctx, features);
  b.lookup(maps.services, key).ifFound(() => {
    exempt();
    b.if(isOfHost(call), () => b.return(REJECT));
  });
}
