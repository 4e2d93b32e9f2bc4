/**
 * Step 4 for getpeername(2): the peer of a connected socket is the service, not
 * the backend.
 */
import { cgroup, PROCEED } from "tsbpf";
import { ipv4Address, ipv6Address, mappedAddress, type Features } from "./call.ts";
import { ReplyCall, translatePeer } from "./reply.ts";

/** getpeername(2) of an IPv4 socket. */
export const getpeername4 = (features: Features) =>
  cgroup.getpeername4("getpeername4", (b, ctx) => {
    translatePeer(new ReplyCall(b, ipv4Address(ctx), features));
    return PROCEED;
  });

/** getpeername(2) of an IPv6 socket. It may be connected to a mapped address. */
export const getpeername6 = (features: Features) =>
  cgroup.getpeername6("getpeername6", (b, ctx) => {
    b.if(
      ctx.userIp6.isV4Mapped(),
      () => translatePeer(new ReplyCall(b, mappedAddress(ctx), features)),
      () => translatePeer(new ReplyCall(b, ipv6Address(ctx), features)),
    );
    return PROCEED;
  });
