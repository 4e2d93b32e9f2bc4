/**
 * Steps 1 and 2 for a UDP socket that names a destination with each datagram: a
 * client sends to a service, and the datagram goes to one of its backends. The
 * socket remembers the service for the replies, which are recvmsg.ts.
 */
import { AddressFamily, cgroup, PROCEED, type Condition, type SockAddr4 } from "tsbpf";
import { CONNECTED, ipv4Address, ipv6Address, type Features } from "./call.ts";
import { DatagramCall } from "./forward.ts";

/** sendmsg(2) to an IPv4 address, of an IPv6 socket too. */
export const sendmsg4 = (features: Features) =>
  cgroup.sendmsg4("sendmsg4", (b, ctx) => {
    // recvmsg6 translates replies to IPv6 sockets. Without it, there is no way back, so the call is not translated.
    const skipped = features.options.ipv6 ? goesToOwnPeer(ctx) : ctx.family.eq(AddressFamily.INET6);
    b.if(skipped, () => b.return(PROCEED));
    sendToBackend(new DatagramCall(b, ipv4Address(ctx), features));
    return PROCEED;
  });

/** sendmsg(2) to an IPv6 address. The kernel hands mapped addresses to sendmsg4. */
export const sendmsg6 = (features: Features) =>
  cgroup.sendmsg6("sendmsg6", (b, ctx) => {
    sendToBackend(new DatagramCall(b, ipv6Address(ctx), features));
    return PROCEED;
  });

function sendToBackend(call: DatagramCall): void {
  call.repeatFlow(); // asked before, and no service changed since: to the same backend, and done
  const service = call.findService(); // none: the datagram goes on as it is
  const backend = call.selectBackend(service); // the socket's backend of before, or a new one
  call.addReverseNat(service, backend);
  call.rewriteDestination(service, backend);
}

/**
 * An IPv6 socket sends to the mapped address that it is connected to. The kernel
 * shows this program the peer, as if the process had named it: for a service,
 * the backend. The datagram goes there, as with an IPv4 socket, for which the
 * kernel runs no program: the socket hears no other backend.
 */
const goesToOwnPeer = (ctx: SockAddr4): Condition =>
  ctx.family.eq(AddressFamily.INET6).and(() => {
    const { sk } = ctx;
    return sk.state
      .eq(CONNECTED)
      .and(() => sk.dstIp4.eq(ctx.userIp4))
      .and(() => sk.dstPort.eq(ctx.userPort));
  });
