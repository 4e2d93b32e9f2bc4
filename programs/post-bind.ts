import { cgroup, PROCEED, REJECT, type BuilderWith, type Scalar } from "../src/dsl/index.ts";
import { ipv4, u16, u8, type Constant } from "../src/types/index.ts";
import { maps4, maps6, Scope, type Maps } from "./maps.ts";

/** bind(2) to an IPv4 address: the port of a service on the host's own addresses is taken. */
export const postBind4 = () => cgroup.postBind4("post_bind4", (b, ctx) => {
  refuseNodePort(b, maps4, ipv4("0.0.0.0"), ctx);
  return PROCEED;
});

/** The same for IPv6 sockets, which IPv4 clients reach too. */
export const postBind6 = () => cgroup.postBind6("post_bind6", (b, ctx) => {
  refuseNodePort(b, maps4, ipv4("0.0.0.0"), ctx);
  // Text is what stands for an IPv6 address here; `maps6` says why the type is another.
  refuseNodePort(b, maps6, "::" as unknown as Constant<"be32">, ctx);
  return PROCEED;
});

function refuseNodePort(
  b: BuilderWith<never, 0 | 1>, { services }: Maps, unspecified: Constant<"be32">,
  { srcPort, protocol }: { readonly srcPort: Scalar<"u32">; readonly protocol: Scalar<"u32"> },
): void {
  const key = { address: unspecified, port: srcPort.to(u16).toBig(), protocol: protocol.to(u8), scope: Scope.NODE_PORT };
  b.lookup(services, key).ifFound(() => b.return(REJECT));
}
