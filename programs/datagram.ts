import { Errno, PROCEED, type BuilderWith, type Nullable, type Ref } from "tsbpf";
import { chooseBackend, redirect, seedOfSocket } from "./backend.ts";
import { EventKind, tell, type EventHelper } from "./events.ts";
import { currentGeneration, findRecent, forgetBackend, rememberDatagrams, toService } from "./flows.ts";
import { unlessLeftAlone, type LeftAloneHelper } from "./left-alone.ts";
import type { Flow, SocketFlows } from "./maps.ts";
import { count } from "./metrics.ts";
import type { DataPathOptions } from "./options.ts";
import { findService, mayBeService, refusingWith, type FoundService } from "./service.ts";
import type { Endpoint, SocketAddress } from "./socket-address.ts";

/** The helpers that `translateDatagram` calls. */
export type DatagramHelper =
  | LeftAloneHelper
  | EventHelper
  | "getSocketCookie"
  | "ktimeGetNs"
  | "skStorageGet"
  | "setRetval";

/** What is done besides. */
interface DatagramSteps {
  /** Where the socket is sent to a backend. The service is looked up for it, also where the socket has its flow at hand. */
  readonly redirected?: ((service: FoundService, backend: Endpoint) => void) | undefined;
}

/**
 * Where a datagram socket's packets to the address in the context go, be it
 * connected to it or not. A socket that was sent to a backend for a service
 * stays with it until the service changes.
 */
export function translateDatagram(
  b: BuilderWith<DatagramHelper, 0 | 1>,
  to: SocketAddress,
  options: DataPathOptions,
  { redirected }: DatagramSteps = {},
): void {
  const storage = b.skStorageGet(to.maps.flows, to.sk);
  const refusing = refusingWith(Errno.EHOSTUNREACH, options);
  storage.match(
    (known) => {
      if (redirected === undefined) reuseFlow(b, to, known, options);
    },
    // A socket that has never been sent anywhere is done with here.
    () => b.if(mayBeService(b, to).not(), () => b.return(PROCEED)),
  );
  // The socket forgets that a service may have sent it there.
  const elsewhere = () => {
    forgetBackend(b, to, storage);
    b.return(PROCEED);
  };
  const service = findService(b, to, mayBeService(b, to), elsewhere, refusing);
  unlessLeftAlone(b, to, service, elsewhere, options);
  tell(b, to, options, EventKind.PRE_FORWARD, () => service);
  reuseEarlierFlow(b, to, storage, service, options, redirected);
  const backend = chooseBackend(b, to, service, () => seedOfSocket(b, to), refusing);
  rememberDatagrams(b, to, service, backend, currentGeneration(b), options);
  redirected?.(service, backend);
  tell(b, to, options, EventKind.POST_FORWARD, () => ({ ...service, translated: backend }));
  redirect(to, backend);
}

/** Takes the flow that was chosen in this generation: no service has changed since. */
function reuseFlow(
  b: BuilderWith<EventHelper>,
  to: SocketAddress,
  known: Ref<SocketFlows>,
  options: DataPathOptions,
): void {
  const now = currentGeneration(b);
  findRecent(b, known, (flow) => toService(flow, to).and(() => flow.generation.eq(now))).ifFound((flow) => {
    tell(b, to, options, EventKind.PRE_FORWARD, () => flow);
    follow(b, to, flow, options);
  });
}

/** Takes the flow that was chosen in an earlier generation, if its backend is still one of the service's. */
function reuseEarlierFlow(
  b: BuilderWith<EventHelper>,
  to: SocketAddress,
  storage: Nullable<SocketFlows>,
  service: FoundService,
  options: DataPathOptions,
  redirected: DatagramSteps["redirected"],
): void {
  const { revNatIndex } = service;
  storage.ifFound((known) => {
    findRecent(b, known, (flow) => toService(flow, to).and(() => flow.revNatIndex.eq(revNatIndex))).ifFound((flow) => {
      const { backendAddress: address, backendPort: port } = flow;
      b.lookup(to.maps.backends, { address, port, revNatIndex }).ifFound(() => {
        flow.generation.set(currentGeneration(b));
        redirected?.(service, { address, port });
        follow(b, to, flow, options);
      });
    });
  });
}

function follow(b: BuilderWith<EventHelper>, to: SocketAddress, flow: Ref<Flow>, options: DataPathOptions): void {
  const backend = () => ({ address: flow.backendAddress, port: flow.backendPort });
  count(b, to, options, flow.revNatIndex, "translated");
  tell(b, to, options, EventKind.POST_FORWARD, () => ({ revNatIndex: flow.revNatIndex, translated: backend() }));
  redirect(to, backend());
  b.return(PROCEED);
}
