/**
 * What a socket remembers of the services it talks to.
 *
 * The flows that it used last lie whole in the socket's own storage: finding
 * one takes no hash lookup. A datagram socket's flows are in the reverse map
 * besides, and its older ones only there; the storage names every such entry,
 * so that none outlives its socket.
 */
import type { BuilderWith, Condition, Nullable, Ref, Scalar, SockAddr4 } from "../src/dsl/index.ts";
import { be16, ipv4, u8 } from "../src/types/index.ts";
import {
  flows, generation, OLDER_FLOWS, RECENT_FLOWS, reverseSk, services, type Flow, type Service, type Slot, type SocketFlows,
} from "./maps.ts";

type Storage = Ref<typeof SocketFlows>;
type FlowRef = Ref<typeof Flow>;

/** An address and port, in a flow, a slot or a context. */
interface Endpoint {
  readonly address: Scalar<"be32">;
  readonly port: Scalar<"be16">;
}

/** The number of the last change of services. */
export function currentGeneration(b: BuilderWith): Scalar<"u32"> {
  return b.lookup(generation, 0).orReturn(1).value;
}

/** The address that the context holds now. */
export function endpoint(ctx: SockAddr4): Endpoint {
  return { address: ctx.userIp4, port: ctx.userPort };
}

/** The flow is to this service. */
export const toService = (flow: FlowRef, { address, port }: Endpoint): Condition =>
  flow.serviceAddress.eq(address).and(() => flow.servicePort.eq(port));

/** The flow is with this backend. */
export const withBackend = (flow: FlowRef, { address, port }: Endpoint): Condition =>
  flow.backendAddress.eq(address).and(() => flow.backendPort.eq(port));

/** The recent flow of which `matches` is true, if there is one. */
export function findRecent(b: BuilderWith, known: Storage, matches: (flow: FlowRef) => Condition): Nullable<typeof Flow, 1> {
  return b.first(recentFlows(known), matches);
}

function recentFlows(known: Storage): readonly FlowRef[] {
  return Array.from({ length: RECENT_FLOWS }, (_, i) => known.recent.at(i));
}

/** Each of the older flows, in a loop. */
function eachOlder(b: BuilderWith, known: Storage, visit: (peer: ReturnType<Storage["older"]["at"]>) => void): void {
  b.if(known.olderCount.ne(0), () => b.loop(OLDER_FLOWS, (i) => visit(known.older.at(i))));
}

/** Remembers that a datagram socket was sent to `backend` for the service that the context still names. */
export function rememberDatagrams(
  b: BuilderWith<"getSocketCookie" | "skStorageGet">, ctx: SockAddr4, service: Ref<typeof Service>, backend: Ref<typeof Slot>,
): void {
  const cookie = b.getSocketCookie(ctx);
  const flow = newFlow(b, ctx, service, backend);
  b.skStorageGet(flows, ctx.sk, { create: true }).ifFound((known) => placeFlow(b, ctx, known, flow, cookie));
  writeReverse(b, ctx, service, { cookie, address: backend.address, port: backend.port });
}

/** The same for a stream, which has one peer and needs no reverse entry. */
export function rememberStream(
  b: BuilderWith<"skStorageGet">, ctx: SockAddr4, service: Ref<typeof Service>, backend: Ref<typeof Slot>,
): void {
  const flow = newFlow(b, ctx, service, backend);
  b.skStorageGet(flows, ctx.sk, { create: true }).ifFound((known) => b.assign(known.recent.at(0), flow));
}

function newFlow(b: BuilderWith, ctx: SockAddr4, { base, revNatIndex }: Ref<typeof Service>, backend: Ref<typeof Slot>) {
  return {
    serviceAddress: ctx.userIp4, servicePort: ctx.userPort, backendAddress: backend.address, backendPort: backend.port,
    base, generation: currentGeneration(b), revNatIndex,
  };
}

/** Enters the flow into the reverse map, unless it is there. */
function writeReverse(b: BuilderWith, ctx: SockAddr4, { revNatIndex }: Ref<typeof Service>, key: Endpoint & { cookie: Scalar<"u64"> }): void {
  const value = b.struct(reverseSk.value, { ...endpoint(ctx), revNatIndex });
  const write = () => { b.update(reverseSk, key, value); };
  b.lookup(reverseSk, key).match(
    (entry) => b.if(
      entry.address.eq(ctx.userIp4).and(() => entry.port.eq(ctx.userPort)).and(() => entry.revNatIndex.eq(revNatIndex)).not(),
      write),
    write);
}

/**
 * Writes a flow into `recent`: in place of the one which it replaces (same
 * service, or same backend), or of the next in turn, which moves to `older`.
 */
function placeFlow(
  b: BuilderWith, ctx: SockAddr4, known: Storage, flow: ReturnType<typeof newFlow>, cookie: Scalar<"u64">,
): void {
  const backend = { address: flow.backendAddress, port: flow.backendPort };
  findRecent(b, known, (other) => toService(other, endpoint(ctx)).or(() => withBackend(other, backend))).match(
    (replaced) => {
      // Where the service has moved this socket to another backend, the old one's entry has nobody left.
      b.if(withBackend(replaced, backend).not(), () => deleteReverse(b, cookie, flowBackend(replaced)));
      b.assign(replaced, flow);
    },
    () => {
      const next = known.recent.at(known.recentCount.and(RECENT_FLOWS - 1));
      known.recentCount.set(known.recentCount.add(1));
      b.if(next.revNatIndex.ne(0), () => keepOlder(b, known, next, cookie));
      // A backend that comes into use again is no longer an older one.
      forgetOlder(b, known, backend);
      b.assign(next, flow);
    });
}

/** Leaves a flow to the reverse map alone. The oldest such flow gives way. */
function keepOlder(b: BuilderWith, known: Storage, flow: FlowRef, cookie: Scalar<"u64">): void {
  const peer = known.older.at(known.olderCount.and(OLDER_FLOWS - 1));
  b.if(peer.port.ne(be16(0)), () => deleteReverse(b, cookie, peer));
  b.assign(peer, flowBackend(flow));
  known.olderCount.set(known.olderCount.add(1));
}

function forgetOlder(b: BuilderWith, known: Storage, backend: Endpoint): void {
  eachOlder(b, known, (peer) => {
    b.if(peer.address.eq(backend.address).and(() => peer.port.eq(backend.port)), () => {
      b.assign(peer, { address: ipv4("0.0.0.0"), port: be16(0) });
    });
  });
}

/**
 * The process names an address that is no service. What comes from there from
 * now on is no service's reply, even if a service had sent the socket there.
 */
export function forgetBackend(b: BuilderWith<"getSocketCookie" | "skStorageGet">, ctx: SockAddr4): void {
  b.skStorageGet(flows, ctx.sk).ifFound((known) => {
    findRecent(b, known, (flow) => withBackend(flow, endpoint(ctx))).ifFound((flow) => forgetFlow(b, ctx, flow));
    b.if(known.olderCount.ne(0), () => deleteReverse(b, b.getSocketCookie(ctx), endpoint(ctx)));
  });
}

/** Forgets a flow: its service is gone or has become another, or the socket has turned to something else. */
export function forgetFlow(b: BuilderWith<"getSocketCookie">, ctx: SockAddr4, flow: FlowRef): void {
  deleteReverse(b, b.getSocketCookie(ctx), flowBackend(flow));
  b.assign(flow, {
    serviceAddress: ipv4("0.0.0.0"), backendAddress: ipv4("0.0.0.0"), servicePort: be16(0), backendPort: be16(0),
    base: 0, generation: 0, revNatIndex: 0,
  });
}

/** Deletes all of the socket's entries in the reverse map. */
export function deleteReverseEntries(b: BuilderWith, known: Storage, cookie: Scalar<"u64">): void {
  for (const flow of recentFlows(known)) b.if(flow.revNatIndex.ne(0), () => deleteReverse(b, cookie, flowBackend(flow)));
  eachOlder(b, known, (peer) => b.if(peer.port.ne(be16(0)), () => deleteReverse(b, cookie, peer)));
}

function flowBackend(flow: FlowRef): Endpoint {
  return { address: flow.backendAddress, port: flow.backendPort };
}

function deleteReverse(b: BuilderWith, cookie: Scalar<"u64">, { address, port }: Endpoint): void {
  b.delete(reverseSk, { cookie, address, port });
}

/** Runs `still` where the service under this address is yet the one that `revNatIndex` names. */
export function ifStillService(
  b: BuilderWith, ctx: SockAddr4, front: Endpoint & { revNatIndex: Scalar<"u16"> },
  still: (service: Ref<typeof Service>) => void, otherwise: () => void,
): void {
  b.lookup(services, { address: front.address, port: front.port, protocol: ctx.protocol.to(u8), scope: 0 }).match(
    (service) => b.if(service.revNatIndex.eq(front.revNatIndex), () => still(service), otherwise),
    otherwise);
}
