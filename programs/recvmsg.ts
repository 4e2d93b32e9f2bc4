import { cgroup, PROCEED, type BuilderWith, type SockAddr6 } from "tsbpf";
import type { EventHelper } from "./events.ts";
import type { DataPathOptions } from "./options.ts";
import { translateReply } from "./reply.ts";
import { ipv4Address, ipv6Address, mappedAddress } from "./socket-address.ts";

/** A received UDP datagram: a backend's reply comes from the service that was asked. */
export const recvmsg4 = (options: DataPathOptions) =>
  cgroup.recvmsg4("recvmsg4", (b, ctx) => {
    translateReply(b, ipv4Address(ctx), options);
    return PROCEED;
  });

/** The same on an IPv6 socket, for which IPv4 datagrams come here too, from mapped addresses. */
export const recvmsg6 = (options: DataPathOptions) =>
  cgroup.recvmsg6("recvmsg6", (b, ctx) => {
    translateReply6(b, ctx, options);
    return PROCEED;
  });

/** getpeername(2): a socket that was sent to a backend is told the service that it asked for. */
export const getpeername4 = (options: DataPathOptions) =>
  cgroup.getpeername4("getpeername4", (b, ctx) => {
    translateReply(b, ipv4Address(ctx), options);
    return PROCEED;
  });

/** The same for IPv6 sockets, those connected to mapped addresses included. */
export const getpeername6 = (options: DataPathOptions) =>
  cgroup.getpeername6("getpeername6", (b, ctx) => {
    translateReply6(b, ctx, options);
    return PROCEED;
  });

function translateReply6(b: BuilderWith<EventHelper | "skStorageGet">, ctx: SockAddr6, options: DataPathOptions): void {
  b.if(
    ctx.userIp6.isV4Mapped(),
    () => translateReply(b, mappedAddress(ctx), options),
    () => translateReply(b, ipv6Address(ctx), options),
  );
}
