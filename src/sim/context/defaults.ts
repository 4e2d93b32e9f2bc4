import type { Program } from "../../asm/index.ts";
import type { SimulatedSocket } from "../socket.ts";
import type { ContextValues } from "./context.ts";
import type { ContextLayout } from "./layout.ts";

/**
 * What a context holds where the test does not say: on a socket, the family of
 * the hook, UDP for the hooks on datagrams and TCP for the others, and what the
 * socket has; for a packet, its length.
 */
export function defaultContext(
  { section }: Program,
  { fields }: ContextLayout,
  { socket, packet }: { socket: SimulatedSocket | undefined; packet: Uint8Array | undefined },
): ContextValues {
  const datagrams = section.includes("sendmsg") || section.includes("recvmsg");
  const family = section.endsWith("6") ? "inet6" : "inet";
  const onSocket: ContextValues = {
    userFamily: family,
    family,
    type: datagrams ? "dgram" : "stream",
    protocol: datagrams ? "udp" : "tcp",
    ...socket?.fields,
  };
  const values: ContextValues = "type" in fields ? onSocket : { len: packet?.length ?? 0 };
  return Object.fromEntries(Object.entries(values).filter(([name]) => name in fields));
}
