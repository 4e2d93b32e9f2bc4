import { PROCEED, type BuilderWith, type Ref, type SockAddr4 } from "../src/dsl/index.ts";
import { redirect } from "./backend.ts";
import { currentGeneration, findRecent, endpoint, toService } from "./flows.ts";
import { flows, type Flow, type Service } from "./maps.ts";

/** The flow that was chosen in this generation: no service has changed since. */
export function reuseFlow(b: BuilderWith<"skStorageGet">, ctx: SockAddr4): void {
  b.skStorageGet(flows, ctx.sk).ifFound((known) => {
    const now = currentGeneration(b);
    findRecent(b, known, (flow) => toService(flow, endpoint(ctx)).and(() => flow.generation.eq(now)))
      .ifFound((flow) => follow(b, ctx, flow));
  });
}

/** The flow that was chosen in an earlier generation, but for this service as it still is. */
export function reuseEarlierFlow(b: BuilderWith<"skStorageGet">, ctx: SockAddr4, service: Ref<typeof Service>): void {
  b.skStorageGet(flows, ctx.sk).ifFound((known) => {
    findRecent(b, known, (flow) =>
      toService(flow, endpoint(ctx)).and(() => flow.base.eq(service.base)).and(() => flow.revNatIndex.eq(service.revNatIndex)),
    ).ifFound((flow) => {
      flow.generation.set(currentGeneration(b));
      follow(b, ctx, flow);
    });
  });
}

function follow(b: BuilderWith, ctx: SockAddr4, flow: Ref<typeof Flow>): void {
  redirect(ctx, { address: flow.backendAddress, port: flow.backendPort });
  b.return(PROCEED);
}
