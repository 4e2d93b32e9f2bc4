/**
 * Reverse NAT: what a socket remembers of the services it talks to, so that
 * replies come from the service (steps 2, 4 and 5).
 *
 * The flows that a socket used last lie whole in its own storage: finding one
 * takes no hash lookup. Its older flows are in the reverse NAT map
 * (`cilium_lb4_reverse_sk`), and the recent ones too where the options ask for
 * that. The storage names each such entry, so that none outlives its socket.
 */
import { be16, type Condition, type Nullable, type Ref, type Scalar } from "tsbpf";
import type { AddressCall, Call, Endpoint, Service } from "./call.ts";
import { generation, NO_SERVICE, OLDER_FLOWS, RECENT_FLOWS, type Flow, type Peer, type SocketFlows } from "./maps.ts";

/**
 * The number of the last change of services. The control plane waits for
 * running programs before it bumps it: a program that sees a service as it was
 * sees the old number.
 */
export function currentGeneration(call: Call): Scalar<"u32"> {
  return call.b.lookup(generation, 0).orReturn(1).value;
}

/** The flow is to this service. */
export const toService = (flow: Ref<Flow>, { address, port }: Endpoint): Condition =>
  flow.serviceAddress.eq(address).and(() => flow.servicePort.eq(port));

/** The flow is with this backend. */
export const withBackend = (flow: Ref<Flow>, { address, port }: Endpoint): Condition =>
  flow.backendAddress.eq(address).and(() => flow.backendPort.eq(port));

/** The recent flow for which `matches` holds, if any. */
export function findRecent(
  call: Call,
  known: Ref<SocketFlows>,
  matches: (flow: Ref<Flow>) => Condition,
): Nullable<Flow, 1> {
  return call.b.first(recentFlows(known), matches);
}

function recentFlows(known: Ref<SocketFlows>): readonly Ref<Flow>[] {
  return Array.from({ length: RECENT_FLOWS }, (_, i) => known.recent.at(i));
}

/** Remembers that the datagram socket was sent to `backend` for the service that the context still names. */
export function addReverseNat(call: AddressCall, service: Service, backend: Endpoint): void {
  const { b, maps, options } = call;
  const now = currentGeneration(call);
  const cookie = call.cookie();
  const flow = newFlow(call, service, backend, now);
  b.skStorageGet(maps.flows, call.socket, { create: true }).ifFound(() => {
    // The kernel caches the storage at its first read: pay for that here, not in the first reply or at close.
    b.skStorageGet(maps.flows, call.socket).ifFound((known) => {
      placeFlow(call, known, flow, cookie);
      // Only what the storage names: nothing would delete another entry.
      if (options.recentInReverseMap) writeReverse(call, known, cookie, flow);
    });
  });
}

/** The same for a stream, which has one peer and needs no entry in the reverse NAT map. */
export function addStreamReverseNat(call: AddressCall, service: Service, backend: Endpoint): void {
  const { b, maps } = call;
  const flow = newFlow(call, service, backend, currentGeneration(call));
  b.skStorageGet(maps.flows, call.socket, { create: true }).ifFound((known) => b.assign(known.recent.at(0), flow));
}

function newFlow({ address, port }: AddressCall, { revNatIndex }: Service, backend: Endpoint, now: Scalar<"u32">) {
  return {
    serviceAddress: address,
    servicePort: port,
    backendAddress: backend.address,
    backendPort: backend.port,
    generation: now,
    revNatIndex,
  };
}

type NewFlow = ReturnType<typeof newFlow>;

/** Writes a flow into the reverse NAT map. */
function writeReverse(call: Call, known: Ref<SocketFlows>, cookie: Scalar<"u64">, flow: NewFlow | Ref<Flow>): void {
  known.entered.set(1);
  const { serviceAddress: address, servicePort: port, revNatIndex } = flow;
  const result = call.b.update(
    call.maps.reverseSk,
    { cookie, address: flow.backendAddress, port: flow.backendPort },
    { address, port, revNatIndex },
  );
  call.countFailure(result, revNatIndex, "reverseUpdateFailed");
}

/**
 * Writes a flow into `recent`: in place of the one that it replaces (same
 * service or same backend), else of the next in turn, which becomes an older one.
 */
function placeFlow(call: AddressCall, known: Ref<SocketFlows>, flow: NewFlow, cookie: Scalar<"u64">): void {
  const { b, options } = call;
  const backend = { address: flow.backendAddress, port: flow.backendPort };
  // A backend that comes into use again is no longer an older one.
  eachOlder(call, known, (peer) => {
    b.if(
      peer.address.eq(backend.address).and(() => peer.port.eq(backend.port)),
      () => {
        if (!options.recentInReverseMap) deleteReverse(call, cookie, backend);
        b.clear(peer);
      },
    );
  });
  const withSameBackend = () => findRecent(call, known, (other) => withBackend(other, backend));
  // The new flow takes over the entry of the one with the same backend, if it is to have one.
  const giveWay = (other: Ref<Flow>) => {
    if (!options.recentInReverseMap) deleteReverse(call, cookie, flowBackend(other));
  };
  findRecent(call, known, (other) => toService(other, call)).match(
    (replaced) => {
      giveWay(replaced);
      b.if(withBackend(replaced, backend).not(), () => {
        // The service moved this socket to another backend: nobody needs the old one's entry.
        if (options.recentInReverseMap) deleteReverse(call, cookie, flowBackend(replaced));
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
          b.if(next.revNatIndex.ne(0), () => keepOlder(call, known, next, cookie));
          b.assign(next, flow);
        },
      ),
  );
}

/** Leaves a flow to the reverse NAT map alone. The oldest such flow gives way. */
function keepOlder(call: Call, known: Ref<SocketFlows>, flow: Ref<Flow>, cookie: Scalar<"u64">): void {
  const { b, maps } = call;
  b.skStorageGet(maps.olderFlows, call.socket, { create: true }).match(
    ({ peers }) => {
      const peer = peers.at(known.olderCount.and(OLDER_FLOWS - 1));
      b.if(peer.port.ne(be16(0)), () => {
        deleteReverse(call, cookie, peer);
      });
      b.assign(peer, flowBackend(flow));
      known.olderCount.set(known.olderCount.add(1));
      // Also where recent flows have entries: earlier programs may not have written them.
      writeReverse(call, known, cookie, flow);
    },
    // Out of memory: drop the flow.
    () => {
      deleteReverse(call, cookie, flowBackend(flow));
    },
  );
}

/** Each of the older flows, in a loop. */
function eachOlder(call: Call, known: Ref<SocketFlows>, visit: (peer: Ref<Peer>) => void): void {
  const { b, maps, socket } = call;
  b.if(known.olderCount.ne(0), () => {
    b.skStorageGet(maps.olderFlows, socket).ifFound(({ peers }) => {
      b.loop(OLDER_FLOWS, (i) => visit(peers.at(i)));
    });
  });
}

/**
 * The destination is not a service. What comes from there is no longer a
 * service's reply, even if a service had sent the socket there before.
 */
export function forgetBackend(call: AddressCall, storage: Nullable<SocketFlows>): void {
  storage.ifFound((known) => {
    findRecent(call, known, (flow) => withBackend(flow, call)).ifFound((flow) => forgetFlow(call, flow));
    call.b.if(known.olderCount.ne(0), () => {
      deleteReverse(call, call.cookie(), call);
    });
  });
}

/** Forgets a flow: its service is gone or another, or the socket turned to something else. */
export function forgetFlow(call: Call, flow: Ref<Flow>): void {
  deleteReverse(call, call.cookie(), flowBackend(flow));
  call.b.clear(flow);
}

/** Deletes all of the socket's entries in the reverse NAT map. */
export function deleteReverseNat(call: Call): void {
  const { b, maps, options } = call;
  b.skStorageGet(maps.flows, call.socket).ifFound((known) =>
    b.if(known.entered.ne(0), () => {
      const cookie = call.cookie();
      for (const flow of recentFlows(known)) {
        b.if(flow.revNatIndex.ne(0), () => {
          const result = deleteReverse(call, cookie, flowBackend(flow));
          // Where every recent flow has an entry, a missing one was evicted.
          if (options.recentInReverseMap) call.countFailure(result, NO_SERVICE, "reverseEvicted");
        });
      }
      eachOlder(call, known, (peer) =>
        b.if(peer.port.ne(be16(0)), () => {
          deleteReverse(call, cookie, peer);
        }),
      );
    }),
  );
}

function flowBackend(flow: Ref<Flow>): Endpoint {
  return { address: flow.backendAddress, port: flow.backendPort };
}

function deleteReverse({ b, maps }: Call, cookie: Scalar<"u64">, { address, port }: Endpoint): Scalar<"i64"> {
  return b.delete(maps.reverseSk, { cookie, address, port });
}
