/**
 * What a socket remembers of the services it talks to.
 *
 * The flows that it used last lie whole in the socket's own storage: finding
 * one takes no hash lookup. A datagram socket's older flows are in the reverse
 * map, and the recent ones besides, where that is asked for; the storage names
 * every such entry, so that none outlives its socket.
 */
import {
  be16,
  type AnyContext,
  type BuilderWith,
  type Condition,
  type KernelPointer,
  type Nullable,
  type Ref,
  type Scalar,
} from "tsbpf";
import { generation, OLDER_FLOWS, RECENT_FLOWS, type Flow, type Maps, type Peer, type SocketFlows } from "./maps.ts";
import { count, NO_SERVICE } from "./metrics.ts";
import type { DataPathOptions } from "./options.ts";
import type { FoundService } from "./service.ts";
import type { Endpoint, SocketAddress } from "./socket-address.ts";

/**
 * The number of the last change of services. The control plane waits for
 * running programs before it bumps it: a program that sees a service as it was
 * does not see the new number.
 */
export function currentGeneration(b: BuilderWith): Scalar<"u32"> {
  return b.lookup(generation, 0).orReturn(1).value;
}

/** The flow is to this service. */
export const toService = (flow: Ref<Flow>, { address, port }: Endpoint): Condition =>
  flow.serviceAddress.eq(address).and(() => flow.servicePort.eq(port));

/** The flow is with this backend. */
export const withBackend = (flow: Ref<Flow>, { address, port }: Endpoint): Condition =>
  flow.backendAddress.eq(address).and(() => flow.backendPort.eq(port));

/** The recent flow of which `matches` is true, if there is one. */
export function findRecent(
  b: BuilderWith,
  known: Ref<SocketFlows>,
  matches: (flow: Ref<Flow>) => Condition,
): Nullable<Flow, 1> {
  return b.first(recentFlows(known), matches);
}

function recentFlows(known: Ref<SocketFlows>): readonly Ref<Flow>[] {
  return Array.from({ length: RECENT_FLOWS }, (_, i) => known.recent.at(i));
}

/** Remembers that a datagram socket was sent to `backend` for the service that the context still names. */
export function rememberDatagrams(
  b: BuilderWith<"getSocketCookie" | "skStorageGet">,
  to: SocketAddress,
  service: FoundService,
  backend: Endpoint,
  now: Scalar<"u32">,
  options: DataPathOptions,
): void {
  const cookie = b.getSocketCookie(to.context);
  const flow = newFlow(to, service, backend, now);
  b.skStorageGet(to.maps.flows, to.sk, { create: true }).ifFound(() => {
    // The kernel has it at hand from the first time on that it is read: that is now, and not when a reply comes or the socket is closed.
    b.skStorageGet(to.maps.flows, to.sk).ifFound((known) => {
      placeFlow(b, to, known, flow, cookie, options);
      // Only what the storage names: nothing would delete another entry.
      if (options.recentInReverseMap) writeReverse(b, to, known, cookie, flow, options);
    });
  });
}

/** The same for a stream, which has one peer and needs no reverse entry. */
export function rememberStream(
  b: BuilderWith<"skStorageGet">,
  to: SocketAddress,
  service: FoundService,
  backend: Endpoint,
  now: Scalar<"u32">,
): void {
  const flow = newFlow(to, service, backend, now);
  b.skStorageGet(to.maps.flows, to.sk, { create: true }).ifFound((known) => b.assign(known.recent.at(0), flow));
}

function newFlow(to: SocketAddress, { revNatIndex }: FoundService, backend: Endpoint, now: Scalar<"u32">) {
  return {
    serviceAddress: to.address,
    servicePort: to.port,
    backendAddress: backend.address,
    backendPort: backend.port,
    generation: now,
    revNatIndex,
  };
}

type NewFlow = ReturnType<typeof newFlow>;

/** Enters a flow into the reverse map. */
function writeReverse(
  b: BuilderWith,
  to: SocketAddress,
  known: Ref<SocketFlows>,
  cookie: Scalar<"u64">,
  flow: NewFlow | Ref<Flow>,
  options: DataPathOptions,
): void {
  known.entered.set(1);
  const { serviceAddress: address, servicePort: port, revNatIndex } = flow;
  const result = b.update(
    to.maps.reverseSk,
    { cookie, address: flow.backendAddress, port: flow.backendPort },
    { address, port, revNatIndex },
  );
  if (options.metrics) b.if(result.ne(0), () => count(b, to, options, revNatIndex, "reverseUpdateFailed"));
}

/**
 * Writes a flow into `recent`: in place of the one which it replaces (same
 * service, or same backend), or of the next in turn, which becomes an older one.
 */
function placeFlow(
  b: BuilderWith<"skStorageGet">,
  to: SocketAddress,
  known: Ref<SocketFlows>,
  flow: NewFlow,
  cookie: Scalar<"u64">,
  options: DataPathOptions,
): void {
  const backend = { address: flow.backendAddress, port: flow.backendPort };
  // A backend that comes into use again is no longer an older one.
  eachOlder(b, to.maps, to.sk, known, (peer) => {
    b.if(
      peer.address.eq(backend.address).and(() => peer.port.eq(backend.port)),
      () => {
        if (!options.recentInReverseMap) deleteReverse(b, to.maps, cookie, backend);
        b.clear(peer);
      },
    );
  });
  const withSameBackend = () => findRecent(b, known, (other) => withBackend(other, backend));
  // The entry of what has the same backend becomes the new flow's, if that is to have one.
  const giveWay = (other: Ref<Flow>) => {
    if (!options.recentInReverseMap) deleteReverse(b, to.maps, cookie, flowBackend(other));
  };
  findRecent(b, known, (other) => toService(other, to)).match(
    (replaced) => {
      giveWay(replaced);
      b.if(withBackend(replaced, backend).not(), () => {
        // The service has moved this socket to another backend: the old one's entry has nobody left.
        if (options.recentInReverseMap) deleteReverse(b, to.maps, cookie, flowBackend(replaced));
        // What the new one answers is this service's from now on, and no other's.
        withSameBackend().ifFound((other) => {
          giveWay(other);
          b.clear(other);
        });
      });
      b.assign(replaced, flow);
    },
    () =>
      withSameBackend().match(
        (replaced) => {
          giveWay(replaced);
          b.assign(replaced, flow);
        },
        () => {
          const next = known.recent.at(known.recentCount.and(RECENT_FLOWS - 1));
          known.recentCount.set(known.recentCount.add(1));
          b.if(next.revNatIndex.ne(0), () => keepOlder(b, to, known, next, cookie, options));
          b.assign(next, flow);
        },
      ),
  );
}

/** Leaves a flow to the reverse map alone. The oldest such flow gives way. */
function keepOlder(
  b: BuilderWith<"skStorageGet">,
  to: SocketAddress,
  known: Ref<SocketFlows>,
  flow: Ref<Flow>,
  cookie: Scalar<"u64">,
  options: DataPathOptions,
): void {
  b.skStorageGet(to.maps.olderFlows, to.sk, { create: true }).match(
    ({ peers }) => {
      const peer = peers.at(known.olderCount.and(OLDER_FLOWS - 1));
      b.if(peer.port.ne(be16(0)), () => deleteReverse(b, to.maps, cookie, peer));
      b.assign(peer, flowBackend(flow));
      known.olderCount.set(known.olderCount.add(1));
      // Also where recent flows are entered: there may have been programs before these that did not.
      writeReverse(b, to, known, cookie, flow, options);
    },
    // There is no memory for its name: it is given up.
    () => deleteReverse(b, to.maps, cookie, flowBackend(flow)),
  );
}

/** Each of the older flows, in a loop. */
function eachOlder(
  b: BuilderWith<"skStorageGet">,
  { olderFlows }: Maps,
  socket: KernelPointer<"bpf_sock"> | AnyContext,
  known: Ref<SocketFlows>,
  visit: (peer: Ref<Peer>) => void,
): void {
  b.if(known.olderCount.ne(0), () => {
    b.skStorageGet(olderFlows, socket).ifFound(({ peers }) => {
      b.loop(OLDER_FLOWS, (i) => visit(peers.at(i)));
    });
  });
}

/**
 * The process names an address that is no service. What comes from there from
 * now on is no service's reply, even if a service had sent the socket there.
 */
export function forgetBackend(
  b: BuilderWith<"getSocketCookie">,
  to: SocketAddress,
  storage: Nullable<SocketFlows>,
): void {
  storage.ifFound((known) => {
    findRecent(b, known, (flow) => withBackend(flow, to)).ifFound((flow) => forgetFlow(b, to, flow));
    b.if(known.olderCount.ne(0), () => deleteReverse(b, to.maps, b.getSocketCookie(to.context), to));
  });
}

/** Forgets a flow: its service is gone or has become another, or the socket has turned to something else. */
export function forgetFlow(b: BuilderWith<"getSocketCookie">, to: SocketAddress, flow: Ref<Flow>): void {
  deleteReverse(b, to.maps, b.getSocketCookie(to.context), flowBackend(flow));
  b.clear(flow);
}

/** Deletes all of the socket's entries in the reverse map. */
export function deleteReverseEntries(
  b: BuilderWith<"skStorageGet">,
  maps: Maps,
  socket: AnyContext,
  known: Ref<SocketFlows>,
  cookie: () => Scalar<"u64">,
  options: DataPathOptions,
): void {
  b.if(known.entered.ne(0), () => {
    const own = cookie();
    for (const flow of recentFlows(known)) {
      b.if(flow.revNatIndex.ne(0), () => {
        const result = deleteReverse(b, maps, own, flowBackend(flow));
        // Where every recent flow has an entry, one that is not there has been evicted.
        if (options.metrics && options.recentInReverseMap)
          b.if(result.ne(0), () => count(b, { maps }, options, NO_SERVICE, "reverseEvicted"));
      });
    }
    eachOlder(b, maps, socket, known, (peer) => b.if(peer.port.ne(be16(0)), () => deleteReverse(b, maps, own, peer)));
  });
}

function flowBackend(flow: Ref<Flow>): Endpoint {
  return { address: flow.backendAddress, port: flow.backendPort };
}

function deleteReverse(
  b: BuilderWith,
  { reverseSk }: Maps,
  cookie: Scalar<"u64">,
  { address, port }: Endpoint,
): Scalar<"i64"> {
  return b.delete(reverseSk, { cookie, address, port });
}
