import { cgroup, PROCEED, SocketType, type BuilderWith, type Scalar } from "tsbpf";
import { forgetConnection, rememberConnection } from "./connections.ts";
import { translateDatagram, type DatagramHelper } from "./datagram.ts";
import type { DataPathOptions } from "./options.ts";
import { ipv4Address, ipv6Address, mappedAddress, type SocketAddress } from "./socket-address.ts";
import { translateStream, type StreamHelper } from "./stream.ts";

/** connect(2): a socket that asks for a service is sent to one of its backends. */
export const connect4 = (options: DataPathOptions) =>
  cgroup.connect4("connect4", (b, ctx) => {
    connect(b, ctx.type, ipv4Address(ctx), options);
    return PROCEED;
  });

/** The same for IPv6 sockets. An IPv4 address in its mapped form is a matter of the IPv4 services. */
export const connect6 = (options: DataPathOptions) =>
  cgroup.connect6("connect6", (b, ctx) => {
    b.if(
      ctx.userIp6.isV4Mapped(),
      () => connect(b, ctx.type, mappedAddress(ctx), options),
      () => connect(b, ctx.type, ipv6Address(ctx), options),
    );
    return PROCEED;
  });

function connect(
  b: BuilderWith<DatagramHelper | StreamHelper, 0 | 1>,
  type: Scalar<"u32">,
  to: SocketAddress,
  options: DataPathOptions,
): void {
  // What comes last here comes first in the program: datagrams' connect(2) is the cheaper call, of which an instruction more is felt.
  b.if(
    type.ne(SocketType.DGRAM),
    () => translateStream(b, to, options),
    () => connectDatagram(b, to, options),
  );
}

function connectDatagram(b: BuilderWith<DatagramHelper, 0 | 1>, to: SocketAddress, options: DataPathOptions): void {
  forgetConnection(b, to, options);
  translateDatagram(b, to, options, {
    redirected: options.trackConnections
      ? (service, backend) => rememberConnection(b, to, service, backend, options)
      : undefined,
  });
}
