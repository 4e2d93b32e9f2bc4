import { cgroup, PROCEED, SocketType } from "../src/dsl/index.ts";
import { chooseBackend, findService, redirect } from "./backend.ts";
import { translateDatagram } from "./datagram.ts";
import { rememberStream } from "./flows.ts";
import type { DataPathOptions } from "./options.ts";

/**
 * connect(2): a socket that asks for a service is sent to one of its backends,
 * a stream to any of them.
 */
export const connect4 = (options: DataPathOptions) => cgroup.connect4("connect4", (b, ctx) => {
  b.if(ctx.type.eq(SocketType.DGRAM), () => {
    translateDatagram(b, ctx, options);
    b.return(PROCEED);
  });
  const service = findService(b, ctx).orReturn(PROCEED);
  const backend = chooseBackend(b, service, b.getPrandomU32(), options);
  if (options.rememberStreams) rememberStream(b, ctx, service, backend);
  redirect(ctx, backend);
  return PROCEED;
});
