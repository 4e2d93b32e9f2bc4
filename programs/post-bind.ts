import { cgroup, PROCEED, REJECT, u16, u8, type AnyContext, type BuilderWith, type Scalar } from "tsbpf";
import { maps4, maps6, Scope, type Maps } from "./maps.ts";
import { isOfHost } from "./network-namespace.ts";
import type { DataPathOptions } from "./options.ts";

/**
 * bind(2) to an IPv4 address: the port of a service on the host's own addresses
 * is taken, in the host's network namespace. In others it is free.
 */
export const postBind4 = (options: DataPathOptions) =>
  cgroup.postBind4("post_bind4", (b, ctx) => {
    refuseNodePort(b, maps4, "0.0.0.0", ctx, options);
    return PROCEED;
  });

/** The same for IPv6 sockets, which IPv4 clients reach too. */
export const postBind6 = (options: DataPathOptions) =>
  cgroup.postBind6("post_bind6", (b, ctx) => {
    refuseNodePort(b, maps4, "0.0.0.0", ctx, options);
    refuseNodePort(b, maps6, "::", ctx, options);
    return PROCEED;
  });

function refuseNodePort(
  b: BuilderWith<"getNetnsCookie", 0 | 1>,
  { services }: Maps,
  unspecified: string,
  ctx: AnyContext & { readonly srcPort: Scalar<"u32">; readonly protocol: Scalar<"u32"> },
  options: DataPathOptions,
): void {
  const key = {
    address: unspecified,
    port: ctx.srcPort.to(u16).toBig(),
    protocol: ctx.protocol.to(u8),
    scope: Scope.NODE_PORT,
  };
  b.lookup(services, key).ifFound(() => b.if(isOfHost(b, ctx, options), () => b.return(REJECT)));
}
