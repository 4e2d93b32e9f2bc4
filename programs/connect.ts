/**
 * Steps 1 and 2 for a socket that is connected: a client asks for a service with
 * connect(2), and is connected to one of its backends. A TCP socket needs no
 * more: it carries no address in its replies. A UDP socket that is connected
 * works like one that sends: see sendmsg.ts.
 */
import { cgroup, PROCEED, SocketType, type BuilderWith } from "tsbpf";
import { ipv4Address, ipv6Address, mappedAddress, type CallHelper, type Features, type SocketAddress } from "./call.ts";
import { DatagramCall } from "./forward.ts";
import { StreamCall } from "./stream.ts";

/** connect(2) to an IPv4 address. */
export const connect4 = (features: Features) =>
  cgroup.connect4("connect4", (b, ctx) => {
    connect(b, ipv4Address(ctx), features);
    return PROCEED;
  });

/** connect(2) of an IPv6 socket. An IPv4 address in its mapped form asks for IPv4 services. */
export const connect6 = (features: Features) =>
  cgroup.connect6("connect6", (b, ctx) => {
    b.if(
      ctx.userIp6.isV4Mapped(),
      () => connect(b, mappedAddress(ctx), features),
      () => connect(b, ipv6Address(ctx), features),
    );
    return PROCEED;
  });

function connect(b: BuilderWith<CallHelper | "setRetval", 0 | 1>, to: SocketAddress, features: Features): void {
  // The second branch comes first in the bytecode. It is the datagrams', whose connect(2) is the cheaper call.
  b.if(
    to.context.type.ne(SocketType.DGRAM),
    () => connectStream(new StreamCall(b, to, features)),
    () => connectDatagrams(new ConnectedDatagrams(b, to, features)),
  );
}

function connectStream(call: StreamCall): void {
  call.forgetConnection();
  const service = call.findService();
  const backend = call.selectBackend(service);
  call.addReverseNat(service, backend);
  call.noteConnection(service, backend);
  call.rewriteDestination(service, backend);
}

function connectDatagrams(call: DatagramCall): void {
  call.forgetConnection();
  call.repeatFlow();
  const service = call.findService();
  const backend = call.selectBackend(service);
  call.addReverseNat(service, backend);
  call.noteConnection(service, backend);
  call.rewriteDestination(service, backend);
}

class ConnectedDatagrams extends DatagramCall {
  protected override readonly connecting = true;
}
