import { type BuilderWith, PROCEED, type SockAddr4 } from "../src/dsl/index.ts";
import { currentGeneration, eachRecent, forgetFlow, ifStillService, withBackend } from "./flows.ts";
import { flows, reverseSk } from "./maps.ts";

/**
 * The context holds a backend's address: the process is shown the service that
 * it asked for. A flow whose service is gone is forgotten.
 */
export function translateReply(b: BuilderWith<"getSocketCookie" | "skStorageGet">, ctx: SockAddr4): void {
  // A socket that never asked for a service has no storage, and is done here.
  const known = b.skStorageGet(flows, ctx.sk).orReturn(PROCEED);
  const now = currentGeneration(b);
  eachRecent(b, known, withBackend(ctx), (flow) => {
    const front = { address: flow.serviceAddress, port: flow.servicePort, revNatIndex: flow.revNatIndex };
    b.if(flow.generation.ne(now), () => {
      ifStillService(b, ctx, front,
        (service) => b.if(service.base.eq(flow.base), () => flow.generation.set(now)),
        () => {
          forgetFlow(b, flow, b.getSocketCookie(ctx));
          b.return(PROCEED);
        });
    });
    ctx.userIp4.set(front.address);
    ctx.userPort.set(front.port);
    b.return(PROCEED);
  });
  b.if(known.olderCount.ne(0), () => {
    const key = { cookie: b.getSocketCookie(ctx), address: ctx.userIp4, port: ctx.userPort };
    const entry = b.lookup(reverseSk, key).orReturn(PROCEED);
    ifStillService(b, ctx, entry,
      () => {
        ctx.userIp4.set(entry.address);
        ctx.userPort.set(entry.port);
      },
      () => { b.delete(reverseSk, key); });
  });
}
