import { PROCEED, type BuilderWith, type SockAddr4 } from "../src/dsl/index.ts";
import { currentGeneration, endpoint, findRecent, forgetFlow, ifStillService, withBackend } from "./flows.ts";
import { flows, reverseSk } from "./maps.ts";

/**
 * The context holds a backend's address: the process is shown the service that
 * it asked for. A flow whose service is gone is forgotten.
 */
export function translateReply(b: BuilderWith<"getSocketCookie" | "skStorageGet">, ctx: SockAddr4): void {
  // A socket that never asked for a service has no storage, and is done here.
  const known = b.skStorageGet(flows, ctx.sk).orReturn(PROCEED);
  const now = currentGeneration(b);
  findRecent(b, known, (flow) => withBackend(flow, endpoint(ctx)).and(() => flow.revNatIndex.ne(0))).ifFound((flow) => {
    const service = { address: flow.serviceAddress, port: flow.servicePort, revNatIndex: flow.revNatIndex };
    b.if(flow.generation.ne(now), () => {
      ifStillService(b, ctx, service, () => {}, () => {
        forgetFlow(b, ctx, flow);
        b.return(PROCEED);
      });
    });
    show(ctx, service);
    b.return(PROCEED);
  });
  b.if(known.olderCount.ne(0), () => {
    const key = { cookie: b.getSocketCookie(ctx), ...endpoint(ctx) };
    const entry = b.lookup(reverseSk, key).orReturn(PROCEED);
    ifStillService(b, ctx, entry, () => show(ctx, entry), () => { b.delete(reverseSk, key); });
  });
}

function show(ctx: SockAddr4, service: ReturnType<typeof endpoint>): void {
  ctx.userIp4.set(service.address);
  ctx.userPort.set(service.port);
}
