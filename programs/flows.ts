/**
 * What a socket remembers of the services it talks to.
 *
 * The flows that it used last lie whole in the socket's own storage: finding
 * one takes no hash lookup. Older ones are found in the reverse map, whose
 * entries the storage names, so that none outlives its socket.
 */
import { type BuilderWith, type Condition, type Ref, type Scalar, type SockAddr4 } from "../src/dsl/index.ts";
import { be16, ipv4, u32, u8 } from "../src/types/index.ts";
import {
  Flow, flows, generation, OLDER_FLOWS, RECENT_FLOWS, reverseSk, services, type Service, type Slot, type SocketFlows,
} from "./maps.ts";

type Storage = Ref<typeof SocketFlows>;
type FlowRef = Ref<typeof Flow>;

/** The number of the last change of services. */
export function currentGeneration(b: BuilderWith): Scalar<"u32"> {
  return b.lookup(generation, 0).orReturn(1).value;
}

/** Runs `found` with each recent flow that matches; `found` is expected to end the program. */
export function eachRecent(b: BuilderWith, known: Storage, matches: (flow: FlowRef) => Condition, found: (flow: FlowRef) => void): void {
  for (let i = 0; i < RECENT_FLOWS; i++) {
    const flow = known.recent.at(i);
    b.if(matches(flow), () => found(flow));
  }
}

/** The flow is to the service that the process names. */
export const toService = (ctx: SockAddr4) => (flow: FlowRef): Condition =>
  flow.serviceAddress.eq(ctx.userIp4).and(() => flow.servicePort.eq(ctx.userPort));

/** The flow is with the backend whose address the context holds. */
export const withBackend = (ctx: SockAddr4) => (flow: FlowRef): Condition =>
  flow.backendAddress.eq(ctx.userIp4).and(() => flow.backendPort.eq(ctx.userPort)).and(() => flow.revNatIndex.ne(0));

/** Remembers that the socket was sent to `backend` for the service that the context still names. */
export function remember(
  b: BuilderWith<"getSocketCookie" | "skStorageGet">, ctx: SockAddr4, service: Ref<typeof Service>, backend: Ref<typeof Slot>,
): void {
  const cookie = b.getSocketCookie(ctx);
  b.skStorageGet(flows, ctx.sk, { create: true }).ifFound((known) => {
    const index = placeFor(b, ctx, known, backend, cookie);
    b.assign(known.recent.at(index), {
      serviceAddress: ctx.userIp4, servicePort: ctx.userPort, backendAddress: backend.address, backendPort: backend.port,
      base: service.base, generation: currentGeneration(b), revNatIndex: service.revNatIndex,
    });
  });
  const key = { cookie, address: backend.address, port: backend.port };
  const value = { address: ctx.userIp4, port: ctx.userPort, revNatIndex: service.revNatIndex };
  const write = () => { b.update(reverseSk, key, value); };
  b.lookup(reverseSk, key).match(
    (entry) => b.if(
      entry.address.ne(value.address).or(() => entry.port.ne(value.port)).or(() => entry.revNatIndex.ne(value.revNatIndex)),
      write),
    write);
}

/**
 * The index in `recent` for a flow: that of the flow which it replaces (same
 * service, or same backend), or the next in turn, whose flow moves to `older`.
 */
function placeFor(b: BuilderWith, ctx: SockAddr4, known: Storage, backend: Ref<typeof Slot>, cookie: Scalar<"u64">): Scalar<"u32"> {
  const NONE = RECENT_FLOWS;
  const index = b.variable(u32, NONE);
  for (let i = 0; i < RECENT_FLOWS; i++) {
    const flow = known.recent.at(i);
    const sameBackend = flow.backendAddress.eq(backend.address).and(() => flow.backendPort.eq(backend.port));
    b.if(sameBackend.or(() => toService(ctx)(flow)), () => {
      index.set(i);
      // Where the service has moved this socket to another backend, the entry of the old one has nobody left.
      b.if(sameBackend.not(), () => deleteReverse(b, cookie, flow.backendAddress, flow.backendPort));
    });
  }
  b.if(index.get().eq(NONE), () => {
    index.set(known.recentCount.and(RECENT_FLOWS - 1));
    known.recentCount.set(known.recentCount.add(1));
    const displaced = known.recent.at(index.get());
    b.if(displaced.revNatIndex.ne(0), () => keepOlder(b, known, displaced, cookie));
    b.if(known.olderCount.ne(0), () => dropOlder(b, known, backend));
  });
  return index.get().and(RECENT_FLOWS - 1);
}

/** Leaves a flow to the reverse map alone. The oldest such flow gives way. */
function keepOlder(b: BuilderWith, known: Storage, flow: FlowRef, cookie: Scalar<"u64">): void {
  const peer = known.older.at(known.olderCount.and(OLDER_FLOWS - 1));
  b.if(peer.port.ne(be16(0)), () => deleteReverse(b, cookie, peer.address, peer.port));
  b.assign(peer, { address: flow.backendAddress, port: flow.backendPort });
  known.olderCount.set(known.olderCount.add(1));
}

/** A backend that comes into use again is no longer an older one. */
function dropOlder(b: BuilderWith, known: Storage, backend: Ref<typeof Slot>): void {
  b.loop(OLDER_FLOWS, (i) => {
    const peer = known.older.at(i);
    b.if(peer.address.eq(backend.address).and(() => peer.port.eq(backend.port)), () => {
      b.assign(peer, { address: ipv4("0.0.0.0"), port: be16(0) });
    });
  });
}

/** Deletes all of the socket's entries in the reverse map. */
export function deleteReverseEntries(b: BuilderWith, known: Storage, cookie: Scalar<"u64">): void {
  for (let i = 0; i < RECENT_FLOWS; i++) {
    const flow = known.recent.at(i);
    b.if(flow.revNatIndex.ne(0), () => deleteReverse(b, cookie, flow.backendAddress, flow.backendPort));
  }
  b.if(known.olderCount.ne(0), () => {
    b.loop(OLDER_FLOWS, (i) => {
      const peer = known.older.at(i);
      b.if(peer.port.ne(be16(0)), () => deleteReverse(b, cookie, peer.address, peer.port));
    });
  });
}

/** Forgets whatever the socket talked to. */
export function forgetAll(b: BuilderWith<"getSocketCookie">, ctx: SockAddr4, known: Storage): void {
  deleteReverseEntries(b, known, b.getSocketCookie(ctx));
  for (let i = 0; i < RECENT_FLOWS; i++) {
    const flow = known.recent.at(i);
    flow.revNatIndex.set(0);
    flow.serviceAddress.set(ipv4("0.0.0.0"));
    flow.servicePort.set(be16(0));
  }
  b.if(known.olderCount.ne(0), () => {
    known.olderCount.set(0);
    b.loop(OLDER_FLOWS, (i) => b.assign(known.older.at(i), { address: ipv4("0.0.0.0"), port: be16(0) }));
  });
}

/** Forgets one flow: its service is gone or has become another. */
export function forgetFlow(b: BuilderWith, flow: FlowRef, cookie: Scalar<"u64">): void {
  deleteReverse(b, cookie, flow.backendAddress, flow.backendPort);
  flow.revNatIndex.set(0);
}

function deleteReverse(b: BuilderWith, cookie: Scalar<"u64">, address: Scalar<"be32">, port: Scalar<"be16">): void {
  b.delete(reverseSk, { cookie, address, port });
}

/** The service of this address and protocol is still the one that `revNatIndex` names. */
export function ifStillService(
  b: BuilderWith, ctx: SockAddr4, front: { address: Scalar<"be32">; port: Scalar<"be16">; revNatIndex: Scalar<"u16"> },
  still: (service: Ref<typeof Service>) => void, otherwise: () => void,
): void {
  b.lookup(services, { address: front.address, port: front.port, protocol: ctx.protocol.to(u8), scope: 0 }).match(
    (service) => b.if(service.revNatIndex.eq(front.revNatIndex), () => still(service), otherwise),
    otherwise);
}
