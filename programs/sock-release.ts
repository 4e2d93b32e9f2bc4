import { cgroup, PROCEED, SocketType } from "../src/dsl/index.ts";
import { deleteReverseEntries } from "./flows.ts";
import { flows } from "./maps.ts";

/** The last descriptor of a socket is closed: its entries in the reverse map go with it. */
export const sockRelease = () => cgroup.sockRelease("sock_release", (b, ctx) => {
  const known = b.skStorageGet(flows, ctx).orReturn(PROCEED);
  b.if(ctx.type.eq(SocketType.STREAM), () => b.return(PROCEED));
  deleteReverseEntries(b, known, b.getSocketCookie(ctx));
  return PROCEED;
});
