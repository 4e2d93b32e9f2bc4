import { PROCEED, type BuilderWith, type Ref, type SockAddr4 } from "../src/dsl/index.ts";
import { chooseBackend, findService, redirect, seedOfSocket } from "./backend.ts";
import { currentGeneration, endpoint, findRecent, forgetBackend, rememberDatagrams, toService } from "./flows.ts";
import { flows, type Flow, type Service } from "./maps.ts";
import type { DataPathOptions } from "./options.ts";

/**
 * Where a datagram socket's packets to the address in the context go, be it
 * connected to it or not. A socket that was sent to a backend for a service
 * stays with it until the service changes.
 */
export function translateDatagram(
  b: BuilderWith<"getSocketCookie" | "skStorageGet" | "setRetval", 0 | 1>, ctx: SockAddr4, options: DataPathOptions,
): void {
  reuseFlow(b, ctx);
  const service = findService(b, ctx).orElse(() => {
    forgetBackend(b, ctx);
    b.return(PROCEED);
  });
  reuseEarlierFlow(b, ctx, service);
  const backend = chooseBackend(b, service, seedOfSocket(b, ctx), options);
  rememberDatagrams(b, ctx, service, backend);
  redirect(ctx, backend);
}

/** Takes the flow that was chosen in this generation: no service has changed since. */
function reuseFlow(b: BuilderWith<"skStorageGet">, ctx: SockAddr4): void {
  b.skStorageGet(flows, ctx.sk).ifFound((known) => {
    const now = currentGeneration(b);
    findRecent(b, known, (flow) => toService(flow, endpoint(ctx)).and(() => flow.generation.eq(now)))
      .ifFound((flow) => follow(b, ctx, flow));
  });
}

/** Takes the flow that was chosen in an earlier generation, but for this service as it still is. */
function reuseEarlierFlow(b: BuilderWith<"skStorageGet">, ctx: SockAddr4, service: Ref<typeof Service>): void {
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
