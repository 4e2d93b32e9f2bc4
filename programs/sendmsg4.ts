import { cgroup, PROCEED } from "../src/dsl/index.ts";
import { chooseBackend, findService, redirect } from "./backend.ts";
import { forgetBackend, remember } from "./flows.ts";
import type { DataPathOptions } from "./options.ts";
import { reuseEarlierFlow, reuseFlow } from "./reuse.ts";

/**
 * A UDP datagram whose address is named with it. A socket that was sent to a
 * backend for this service stays with it until the service changes.
 */
export const sendmsg4 = (options: DataPathOptions) => cgroup.sendmsg4("sendmsg4", (b, ctx) => {
  reuseFlow(b, ctx);
  const service = findService(b, ctx).orElse(() => {
    forgetBackend(b, ctx);
    b.return(PROCEED);
  });
  reuseEarlierFlow(b, ctx, service);
  const backend = chooseBackend(b, ctx, service, options);
  remember(b, ctx, service, backend);
  redirect(ctx, backend);
  return PROCEED;
});
