/**
 * Step 4: a backend's reply reaches the client with recvmsg(2), and comes from
 * the service that the client asked for. (Step 3 is the backend's: it answers,
 * and no program runs.)
 */
import { cgroup, PROCEED } from "tsbpf";
import { ipv4Address, ipv6Address, mappedAddress, type Features } from "./call.ts";
import { ReplyCall, translateReply } from "./reply.ts";

/** recvmsg(2) of an IPv4 socket. */
export const recvmsg4 = (features: Features) =>
  cgroup.recvmsg4("recvmsg4", (b, ctx) => {
    translateReply(new ReplyCall(b, ipv4Address(ctx), features));
    return PROCEED;
  });

/** recvmsg(2) of an IPv6 socket. IPv4 datagrams come from mapped addresses. */
export const recvmsg6 = (features: Features) =>
  cgroup.recvmsg6("recvmsg6", (b, ctx) => {
    b.if(
      ctx.userIp6.isV4Mapped(),
      () => translateReply(new ReplyCall(b, mappedAddress(ctx), features)),
      () => translateReply(new ReplyCall(b, ipv6Address(ctx), features)),
    );
    return PROCEED;
  });
