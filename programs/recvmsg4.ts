import { cgroup, PROCEED } from "../src/dsl/index.ts";
import { translateReply } from "./reply.ts";

/** A received UDP datagram: a backend's reply comes from the service that was asked. */
export const recvmsg4 = () => cgroup.recvmsg4("recvmsg4", (b, ctx) => {
  translateReply(b, ctx);
  return PROCEED;
});
