import { cgroup, PROCEED } from "../src/dsl/index.ts";
import { translateReply } from "./reply.ts";

/** getpeername(2): a socket that was sent to a backend is told the service that it asked for. */
export const getpeername4 = () => cgroup.getpeername4("getpeername4", (b, ctx) => {
  translateReply(b, ctx);
  return PROCEED;
});
