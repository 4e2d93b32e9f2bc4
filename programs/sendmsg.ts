import { cgroup, PROCEED } from "../src/dsl/index.ts";
import { translateDatagram } from "./datagram.ts";
import type { DataPathOptions } from "./options.ts";
import { ipv4Address, ipv6Address } from "./socket-address.ts";

/** A UDP datagram whose address is named with it; also one that an IPv6 socket sends to an IPv4 address. */
export const sendmsg4 = (options: DataPathOptions) => cgroup.sendmsg4("sendmsg4", (b, ctx) => {
  translateDatagram(b, ipv4Address(ctx), options);
  return PROCEED;
});

/** A UDP datagram to an IPv6 address. The kernel turns those to mapped addresses over to sendmsg4. */
export const sendmsg6 = (options: DataPathOptions) => cgroup.sendmsg6("sendmsg6", (b, ctx) => {
  translateDatagram(b, ipv6Address(ctx), options);
  return PROCEED;
});
