import { cgroup, PROCEED } from "../src/dsl/index.ts";
import { chooseBackend, findService, redirect } from "./backend.ts";
import { currentGeneration, eachRecent, remember, toService } from "./flows.ts";
import { flows } from "./maps.ts";
import type { DataPathOptions } from "./options.ts";

/**
 * A UDP datagram whose address is named with it. A socket that was sent to a
 * backend for this service stays with it until the service changes.
 */
export const sendmsg4 = (options: DataPathOptions) => cgroup.sendmsg4("sendmsg4", (b, ctx) => {
  const now = currentGeneration(b);
  b.skStorageGet(flows, ctx.sk).ifFound((known) => {
    eachRecent(b, known, (flow) => toService(ctx)(flow).and(() => flow.generation.eq(now)), (flow) => {
      redirect(ctx, { address: flow.backendAddress, port: flow.backendPort });
      b.return(PROCEED);
    });
  });
  const service = findService(b, ctx).orReturn(PROCEED);
  b.skStorageGet(flows, ctx.sk).ifFound((known) => {
    eachRecent(b, known, (flow) => toService(ctx)(flow).and(() => flow.base.eq(service.base)).and(() => flow.revNatIndex.eq(service.revNatIndex)), (flow) => {
      flow.generation.set(now);
      redirect(ctx, { address: flow.backendAddress, port: flow.backendPort });
      b.return(PROCEED);
    });
  });
  const backend = chooseBackend(b, ctx, service, options);
  remember(b, ctx, service, backend);
  redirect(ctx, backend);
  return PROCEED;
});
