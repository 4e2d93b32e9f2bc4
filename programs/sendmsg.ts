import { AddressFamily, cgroup, PROCEED, type Condition, type SockAddr4 } from "tsbpf";
import { translateDatagram } from "./datagram.ts";
import type { DataPathOptions } from "./options.ts";
import { ipv4Address, ipv6Address } from "./socket-address.ts";

/** A UDP datagram whose address is named with it; also one that an IPv6 socket sends to an IPv4 address. */
export const sendmsg4 = (options: DataPathOptions) =>
  cgroup.sendmsg4("sendmsg4", (b, ctx) => {
    // Replies to an IPv6 socket are recvmsg6's, which is not there in the second case.
    b.if(options.ipv6 ? isPeerOfIpv6Socket(ctx) : ctx.family.eq(AddressFamily.INET6), () => b.return(PROCEED));
    translateDatagram(b, ipv4Address(ctx), options);
    return PROCEED;
  });

/**
 * What an IPv6 socket sends to a mapped address that it is connected to comes
 * with this address, as if the process had named it: for a service, its
 * backend's. It goes there, as from an IPv4 socket, which no program sees:
 * what any other backend answered, the socket would not hear.
 */
const isPeerOfIpv6Socket = (ctx: SockAddr4): Condition =>
  ctx.family.eq(AddressFamily.INET6).and(() => {
    const { sk } = ctx;
    return sk.state
      .eq(CONNECTED)
      .and(() => sk.dstIp4.eq(ctx.userIp4))
      .and(() => sk.dstPort.eq(ctx.userPort));
  });

/** `TCP_ESTABLISHED`, the state of a connected datagram socket too. */
const CONNECTED = 1;

/** A UDP datagram to an IPv6 address. The kernel turns those to mapped addresses over to sendmsg4. */
export const sendmsg6 = (options: DataPathOptions) =>
  cgroup.sendmsg6("sendmsg6", (b, ctx) => {
    translateDatagram(b, ipv6Address(ctx), options);
    return PROCEED;
  });
