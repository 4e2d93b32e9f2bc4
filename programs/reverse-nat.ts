/**
 * Reverse NAT: what a socket remembers of the services it talks to, so that
 * replies come from the service (steps 2, 4 and 5).
 *
 * The flows that a socket used last lie whole in its own storage: finding one
 * takes no hash lookup. Its older flows are in the reverse NAT map
 * (`cilium_lb4_reverse_sk`), and the recent ones too where the options ask for
 * that. The socket names each such entry, the older ones in `flow_names`, so
 * that none outlives it.
 *
 * What connect(2) chose is remembered once more, as the socket's peer, which no
 * datagram to another destination changes.
 *
 * Threads that share a socket may read one flow while another takes its place:
 * a flow is written to where it goes before it leaves where it was.
 */
import { Errno, UpdateFlag, type Condition, type Nullable, type Ref, type Scalar } from "tsbpf";
import type { AddressCall, Call, Endpoint, RefusableCall, Service } from "./call.ts";
import { generation, NO_SERVICE, OLDER_FLOWS, RECENT_FLOWS, type Flow, type SocketFlows } from "./maps.ts";

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

/**
 * Remembers that the datagram socket is sent to `backend` for the service that
 * the context still names; where it is connected, also as its peer. Refuses the
 * call where that cannot be remembered.
 */
export function addReverseNat(call: RefusableCall, service: Service, backend: Endpoint, connecting: boolean): void {
  const { b, maps, options } = call;
  const now = currentGeneration(call);
  const cookie = call.cookie();
  const flow = newFlow(call, service, backend, now);
  b.skStorageGet(maps.flows, call.socket, { create: true }).match(
    () => {
      // The kernel caches the storage at its first read: pay for that here, not in the first reply or at close.
      b.skStorageGet(maps.flows, call.socket).ifFound((known) => {
        placeFlow(call, known, flow, cookie);
        if (connecting) setPeer(call, known, flow);
        // Only what the storage names: nothing would delete another entry.
        if (options.recentInReverseMap)
          call.countFailure(writeReverse(call, known, cookie, flow), service.revNatIndex, "reverseUpdateFailed");
      });
    },
    () => refuseUnremembered(call, service.revNatIndex),
  );
}

/** The same for a stream, which has one peer and needs no entry in the reverse NAT map. */
export function addStreamReverseNat(call: RefusableCall, service: Service, backend: Endpoint): void {
  const { b, maps } = call;
  const flow = newFlow(call, service, backend, currentGeneration(call));
  b.skStorageGet(maps.flows, call.socket, { create: true }).match(
    (known) => setPeer(call, known, flow),
    () => refuseUnremembered(call, service.revNatIndex),
  );
}

/** connect(2) chose this flow. */
export function setPeer({ b }: Call, known: Ref<SocketFlows>, flow: NewFlow | Ref<Flow>): void {
  b.assign(known.peer, flow);
}

/** connect(2) leads to the address that the process named: its answers are its own. */
export function setDirectPeer(call: AddressCall, storage: Nullable<SocketFlows>): void {
  storage.ifFound(({ peer }) => {
    peer.revNatIndex.set(0);
    peer.backendAddress.set(call.address);
    peer.backendPort.set(call.port);
  });
}

function refuseUnremembered(call: RefusableCall, revNatIndex: Scalar<"u16">): void {
  call.count(revNatIndex, "notRemembered");
  call.refuse(Errno.ENOBUFS);
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
function writeReverse(
  { b, maps }: Call,
  known: Ref<SocketFlows>,
  cookie: Scalar<"u64">,
  flow: NewFlow | Ref<Flow>,
  flag?: UpdateFlag,
): Scalar<"i64"> {
  known.entered.set(1);
  const { serviceAddress: address, servicePort: port, revNatIndex } = flow;
  const key = { cookie, address: flow.backendAddress, port: flow.backendPort };
  return b.update(maps.reverseSk, key, { address, port, revNatIndex }, flag);
}

/**
 * Writes a flow into `recent`: in place of the one that it replaces (same
 * service or same backend), else of the next in turn, which becomes an older one.
 */
function placeFlow(call: RefusableCall, known: Ref<SocketFlows>, flow: NewFlow, cookie: Scalar<"u64">): void {
  const { b, options } = call;
  const backend = flowBackend(flow);
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
        renewReverse(call, known, cookie, flow);
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
          const next = known.recent.at(takeNumber(call, known.recentCount).and(RECENT_FLOWS - 1));
          b.if(next.revNatIndex.ne(0), () => keepOlder(call, known, next, cookie, flow.revNatIndex));
          renewReverse(call, known, cookie, flow);
          b.assign(next, flow);
        },
      ),
  );
}

/** The counter's value, which no other thread gets where the kernel can see to that. */
function takeNumber({ options }: Call, counter: Ref<SocketFlows>["recentCount"]): Scalar<"u32"> {
  if (options.atomicFetch) return counter.atomicFetchAdd(1);
  const number = counter.add(0);
  counter.set(number.add(1));
  return number;
}

/** A recent flow may have been an older one: an entry that is still there becomes this flow's. */
function renewReverse(call: Call, known: Ref<SocketFlows>, cookie: Scalar<"u64">, flow: NewFlow): void {
  if (call.options.recentInReverseMap) return;
  call.b.if(known.olderCount.ne(0), () => {
    writeReverse(call, known, cookie, flow, UpdateFlag.EXIST);
  });
}

/** Leaves a flow to the reverse NAT map alone; where that cannot be, the call for the service `wanted` is refused. */
function keepOlder(
  call: RefusableCall,
  known: Ref<SocketFlows>,
  flow: Ref<Flow>,
  cookie: Scalar<"u64">,
  wanted: Scalar<"u16">,
): void {
  const { b, maps } = call;
  const backend = flowBackend(flow);
  const key = b.struct(maps.flowNumbers.key, { cookie, ...backend });
  const refuse = () => refuseUnremembered(call, wanted);
  b.lookup(maps.flowNumbers, key).match(
    () => {},
    () => {
      known.entered.set(1);
      const count = takeNumber(call, known.olderCount);
      const name = b.struct(maps.flowNames.key, { cookie, number: count.and(OLDER_FLOWS - 1) });
      b.if(count.ge(OLDER_FLOWS), () => dropOlder(call, known, name));
      b.if(b.update(maps.flowNumbers, key, name.number).ne(0), refuse);
      b.if(b.update(maps.flowNames, name, backend, UpdateFlag.NOEXIST).ne(0), () => {
        b.delete(maps.flowNumbers, key);
        refuse();
      });
    },
  );
  // Also where recent flows have entries: earlier programs may not have written them.
  b.if(writeReverse(call, known, cookie, flow).ne(0), () => {
    call.count(flow.revNatIndex, "reverseUpdateFailed");
    refuse();
  });
}

type FlowName = Ref<Call["maps"]["flowNames"]["key"]>;

/** Takes a name away from the backend that has it. Unless its flow is a recent one, it is lost. */
function dropOlder(call: Call, known: Ref<SocketFlows>, name: FlowName): void {
  const { b, maps } = call;
  b.lookup(maps.flowNames, name).ifFound(({ address, port }) => {
    const key = b.struct(maps.reverseSk.key, { cookie: name.cookie, address, port });
    b.delete(maps.flowNames, name);
    b.delete(maps.flowNumbers, key);
    findRecent(call, known, (flow) => withBackend(flow, key)).match(
      () => {},
      () =>
        b.lookup(maps.reverseSk, key).ifFound((entry) => {
          call.count(entry.revNatIndex, "olderFlowsDropped");
          b.delete(maps.reverseSk, key);
        }),
    );
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
      b.if(known.olderCount.ne(0), () => deleteOlder(call, known, cookie));
    }),
  );
}

/** Deletes the socket's names, and the entries that they name. */
function deleteOlder({ b, maps }: Call, known: Ref<SocketFlows>, cookie: Scalar<"u64">): void {
  b.loop(OLDER_FLOWS, (number) => {
    b.if(number.ge(known.olderCount), () => b.break());
    const name = b.struct(maps.flowNames.key, { cookie, number });
    b.lookup(maps.flowNames, name).ifFound(({ address, port }) => {
      const key = b.struct(maps.reverseSk.key, { cookie, address, port });
      b.delete(maps.flowNames, name);
      b.delete(maps.flowNumbers, key);
      b.delete(maps.reverseSk, key);
    });
  });
}

function flowBackend(flow: NewFlow | Ref<Flow>): Endpoint {
  return { address: flow.backendAddress, port: flow.backendPort };
}

function deleteReverse({ b, maps }: Call, cookie: Scalar<"u64">, { address, port }: Endpoint): Scalar<"i64"> {
  return b.delete(maps.reverseSk, { cookie, address, port });
}
