import { cgroup, PROCEED } from "../src/dsl/index.ts";
import { translateDatagram } from "./datagram.ts";
import type { DataPathOptions } from "./options.ts";

/** A UDP datagram whose address is named with it. */
export const sendmsg4 = (options: DataPathOptions) => cgroup.sendmsg4("sendmsg4", (b, ctx) => {
  translateDatagram(b, ctx, options);
  return PROCEED;
});
