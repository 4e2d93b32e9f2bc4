/**
 * Which sockets are connected to which backend through a service that asks for
 * it: when it loses the backend, the control plane closes them. Their flows do
 * not tell, since a socket may be connected to a backend's own address and send
 * to the service besides.
 */
import { u8, type AnyContext, type BuilderWith, type KernelPointer, type Scalar } from "tsbpf";
import { connected, maps4, maps6, ServiceFlag } from "./maps.ts";
import { count } from "./metrics.ts";
import type { DataPathOptions } from "./options.ts";
import type { FoundService } from "./service.ts";
import type { Endpoint, SocketAddress } from "./socket-address.ts";

/** The socket is being connected: to what it was before, it is no more. */
export function forgetConnection(
  b: BuilderWith<"getSocketCookie" | "skStorageGet">,
  to: SocketAddress,
  options: DataPathOptions,
): void {
  if (options.trackConnections) deleteConnection(b, to.sk, () => b.getSocketCookie(to.context), options);
}

/** Deletes the socket's entry, whatever its family: an IPv6 socket may have been connected to IPv4 addresses, and become an IPv4 one. */
export function deleteConnection(
  b: BuilderWith<"skStorageGet">,
  socket: KernelPointer<"bpf_sock"> | AnyContext,
  cookie: () => Scalar<"u64">,
  { ipv6 }: DataPathOptions,
): void {
  b.skStorageGet(connected, socket).ifFound((mark) =>
    b.if(mark.value.ne(0), () => {
      const key = cookie();
      b.delete(maps4.connections, key);
      if (ipv6) b.delete(maps6.connections, key);
      mark.value.set(0);
    }),
  );
}

/** The socket is being connected to the service's backend. */
export function rememberConnection(
  b: BuilderWith<"getNetnsCookie" | "getSocketCookie" | "skStorageGet">,
  to: SocketAddress,
  { flags, revNatIndex }: FoundService,
  { address, port }: Endpoint,
  options: DataPathOptions,
): void {
  if (!options.trackConnections) return;
  b.if(flags.and(ServiceFlag.CLOSE_SOCKETS).ne(0), () =>
    b.skStorageGet(connected, to.sk, { create: true }).ifFound((mark) => {
      mark.value.set(1);
      const connection = {
        netnsCookie: b.getNetnsCookie(to.context),
        address,
        port,
        revNatIndex,
        protocol: to.protocol.to(u8),
      };
      const result = b.update(to.maps.connections, b.getSocketCookie(to.context), connection);
      if (options.metrics) b.if(result.ne(0), () => count(b, to, options, revNatIndex, "connectionUpdateFailed"));
    }),
  );
}
