/**
 * Beside the article's steps: a service that takes a port of the host's own
 * addresses keeps processes of the host's network namespace from binding it. In
 * other namespaces the port is free.
 */
import { cgroup, PROCEED, REJECT, u16, u8, type BuilderWith, type ContextOf } from "tsbpf";
import { Call, type CallHelper, type Features } from "./call.ts";
import { isOfHost } from "./host-namespace.ts";
import { maps4, maps6, Scope, type Maps } from "./maps.ts";

/** bind(2) to an IPv4 address. */
export const postBind4 = (features: Features) =>
  cgroup.postBind4("post_bind4", (b, ctx) => {
    refuseNodePort(b, ctx, maps4, "0.0.0.0", features);
    return PROCEED;
  });

/** bind(2) of an IPv6 socket, which IPv4 clients may reach too. */
export const postBind6 = (features: Features) =>
  cgroup.postBind6("post_bind6", (b, ctx) => {
    refuseNodePort(b, ctx, maps4, "0.0.0.0", features);
    refuseNodePort(b, ctx, maps6, "::", features);
    return PROCEED;
  });

function refuseNodePort(
  b: BuilderWith<CallHelper, 0 | 1>,
  ctx: ContextOf<typeof cgroup.postBind4> | ContextOf<typeof cgroup.postBind6>,
  maps: Maps,
  unspecified: string,
  features: Features,
): void {
  const key = {
    address: unspecified,
    port: ctx.srcPort.to(u16).toBig(),
    protocol: ctx.protocol.to(u8),
    scope: Scope.NODE_PORT,
  };
  const call = new Call(b, maps, ctx, features);
  b.lookup(maps.services, key).ifFound(() => b.if(isOfHost(call), () => b.return(REJECT)));
}
