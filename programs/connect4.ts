import { cgroup, PROCEED, Protocol } from "../src/dsl/index.ts";
import { chooseBackend, findService, redirect } from "./backend.ts";
import { forgetBackend, remember } from "./flows.ts";
import type { DataPathOptions } from "./options.ts";
import { reuseFlow } from "./reuse.ts";

/**
 * connect(2): a socket that asks for a service is sent to one of its backends:
 * a stream to any, a datagram socket to the one that it has.
 */
export const connect4 = (options: DataPathOptions) => cgroup.connect4("connect4", (b, ctx) => {
  b.if(ctx.protocol.eq(Protocol.UDP), () => reuseFlow(b, ctx));
  const service = findService(b, ctx).orElse(() => {
    forgetBackend(b, ctx);
    b.return(PROCEED);
  });
  const backend = chooseBackend(b, ctx, service, options);
  remember(b, ctx, service, backend);
  redirect(ctx, backend);
  return PROCEED;
});
