import { PROCEED, type BuilderWith, type Scalar } from "tsbpf";
import { redirect } from "./backend.ts";
import { EventKind, tell, type EventHelper } from "./events.ts";
import { currentGeneration, findRecent, forgetFlow, withBackend } from "./flows.ts";
import { count, countMiss } from "./metrics.ts";
import type { DataPathOptions } from "./options.ts";
import { unlessStillService } from "./service.ts";
import type { SocketAddress } from "./socket-address.ts";

/**
 * The context holds a backend's address: the process is shown the service that
 * it asked for. A flow whose service is gone is forgotten.
 */
export function translateReply(
  b: BuilderWith<EventHelper | "skStorageGet">,
  from: SocketAddress,
  options: DataPathOptions,
): void {
  // A socket that never asked for a service has no storage, and is done here.
  const known = b.skStorageGet(from.maps.flows, from.sk).orReturn(PROCEED);
  const now = currentGeneration(b);
  findRecent(b, known, (flow) => withBackend(flow, from).and(() => flow.revNatIndex.ne(0))).ifFound((flow) => {
    const service = { address: flow.serviceAddress, port: flow.servicePort, revNatIndex: flow.revNatIndex };
    tell(b, from, options, EventKind.PRE_REVERSE, () => flow);
    b.if(flow.generation.ne(now), () =>
      unlessStillService(b, from, service, () => {
        countMiss(b, from, options, flow.revNatIndex);
        forgetFlow(b, from, flow);
        b.return(PROCEED);
      }),
    );
    count(b, from, options, flow.revNatIndex, "replies");
    tell(b, from, options, EventKind.POST_REVERSE, () => ({ ...service, translated: service }));
    redirect(from, service);
    b.return(PROCEED);
  });
  b.if(known.olderCount.ne(0), () => translateOlder(b, from, b.getSocketCookie(from.context), options));
}

/** The same for a flow that only the reverse map still has. */
function translateOlder(
  b: BuilderWith<EventHelper>,
  from: SocketAddress,
  cookie: Scalar<"u64">,
  options: DataPathOptions,
): void {
  const { reverseSk } = from.maps;
  const key = { cookie, address: from.address, port: from.port };
  const entry = b.lookup(reverseSk, key).orReturn(PROCEED);
  tell(b, from, options, EventKind.PRE_REVERSE, () => entry);
  unlessStillService(b, from, entry, () => {
    countMiss(b, from, options, entry.revNatIndex);
    b.delete(reverseSk, key);
    b.return(PROCEED);
  });
  count(b, from, options, entry.revNatIndex, "replies");
  tell(b, from, options, EventKind.POST_REVERSE, () => ({ revNatIndex: entry.revNatIndex, translated: entry }));
  redirect(from, entry);
}
