import { cgroup, PROCEED } from "../src/dsl/index.ts";
import { chooseBackend, findService, redirect } from "./backend.ts";
import { forgetAll, remember } from "./flows.ts";
import { flows } from "./maps.ts";
import type { DataPathOptions } from "./options.ts";

/**
 * connect(2): a socket that asks for a service is sent to one of its backends.
 * Whatever it talked to before is over.
 */
export const connect4 = (options: DataPathOptions) => cgroup.connect4("connect4", (b, ctx) => {
  b.skStorageGet(flows, ctx.sk).ifFound((known) => forgetAll(b, ctx, known));
  const service = findService(b, ctx).orReturn(PROCEED);
  const backend = chooseBackend(b, ctx, service, options);
  remember(b, ctx, service, backend);
  redirect(ctx, backend);
  return PROCEED;
});
