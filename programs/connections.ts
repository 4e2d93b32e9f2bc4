/**
 * What a socket is connected to through a service, for the control plane: when
 * the service loses the backend, it finds the socket by this and closes it. A
 * flow would not do, since a socket may be connected to a backend's own address
 * and send to the service besides.
 */
import type { BuilderWith, Scalar } from "../src/dsl/index.ts";
import { ServiceFlag } from "./maps.ts";
import type { DataPathOptions } from "./options.ts";
import type { FoundService } from "./service.ts";
import type { SocketAddress } from "./socket-address.ts";

/** The socket is being connected: to what it was before, it is no more. */
export function forgetConnection(b: BuilderWith<"skStorageGet">, to: SocketAddress, { trackConnections }: DataPathOptions): void {
  if (!trackConnections) return;
  b.skStorageGet(to.maps.connections, to.sk).ifFound((connection) => b.clear(connection));
}

/** The socket is being connected to the service's backend. */
export function rememberConnection(
  b: BuilderWith<"skStorageGet">, to: SocketAddress, { flags, revNatIndex }: FoundService,
  { address, port }: Readonly<{ address: Scalar<"be32">; port: Scalar<"be16"> }>, { trackConnections }: DataPathOptions,
): void {
  if (!trackConnections) return;
  b.if(flags.and(ServiceFlag.CLOSE_SOCKETS).ne(0), () => {
    b.skStorageGet(to.maps.connections, to.sk, { create: true }).ifFound((connection) => b.assign(connection, { address, port, revNatIndex }));
  });
}
