/**
 * Which sockets are connected to which backend, for services that ask for it:
 * when such a service loses the backend, the control plane closes its sockets.
 * Flows do not tell: a socket may be connected to a backend's own address and
 * send to the service besides.
 */
import { u8 } from "tsbpf";
import type { Call, Features } from "./call.ts";
import { connected, maps4, maps6, ServiceFlag } from "./maps.ts";

export const connections: NonNullable<Features["connections"]> = {
  /** The socket is being connected to the service's backend. */
  note(call, { flags, revNatIndex }, { address, port }) {
    const { b, maps, protocol } = call;
    b.if(flags.and(ServiceFlag.CLOSE_SOCKETS).ne(0), () =>
      b.skStorageGet(connected, call.socket, { create: true }).ifFound((mark) => {
        mark.value.set(1);
        const connection = {
          netnsCookie: call.netnsCookie(),
          address,
          port,
          revNatIndex,
          protocol: protocol.to(u8),
        };
        const result = b.update(maps.connections, call.cookie(), connection);
        call.countFailure(result, revNatIndex, "connectionUpdateFailed");
      }),
    );
  },

  /**
   * The socket is being connected anew or closed. Both families' entries go: an
   * IPv6 socket may have been connected to an IPv4 address, and become an IPv4
   * socket since.
   */
  forget(call: Call) {
    const { b, options } = call;
    b.skStorageGet(connected, call.socket).ifFound((mark) =>
      b.if(mark.value.ne(0), () => {
        const key = call.cookie();
        b.delete(maps4.connections, key);
        if (options.ipv6) b.delete(maps6.connections, key);
        mark.value.set(0);
      }),
    );
  },
};
