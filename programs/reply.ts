/**
 * The way back: calls whose address is a backend's, with the actions of step 4
 * as their verbs. recvmsg.ts and getpeername.ts say in which order.
 */
import { be16, PROCEED, type Condition, type Ref, type Scalar } from "tsbpf";
import { AddressCall, type Endpoint } from "./call.ts";
import { unlessStillService } from "./find-service.ts";
import type { Flow, SocketFlows } from "./maps.ts";
import { currentGeneration, findRecent, forgetFlow, withBackend } from "./reverse-nat.ts";

/** The service behind a backend's address: what reverse NAT remembers. */
export interface ReverseNat extends Endpoint {
  readonly revNatIndex: Scalar<"u16">;
  /** The services changed since this was last found true; where absent, they may have. */
  readonly outdated?: Condition;
  forget(): void;
}

/** A call about an address from which the socket received, or to which it is connected. */
export class ReplyCall extends AddressCall {
  /**
   * Runs `translate` with the service that this socket asked for, if the address
   * is a backend's: for each of the places where that is remembered. Any other
   * address stays as it is.
   *
   * For the address that the kernel has connected the socket to, connect(2)
   * decides, and no datagram to another service with the same backend. Where
   * `peer` holds another address, the kernel did not take the last connect(2):
   * then the flows decide.
   */
  findReverseNat(translate: (found: ReverseNat) => void): void {
    const { b, maps } = this;
    // A socket that never asked for a service has no storage, and is done here.
    const known = b.skStorageGet(maps.flows, this.socket).orReturn(PROCEED);
    const now = currentGeneration(this);
    b.if(this.isConnectedHere(), () => {
      this.#translatePeer(known, now, translate);
      // Connected before it remembered anything: directly.
      b.if(known.peer.backendPort.eq(be16(0)), () => b.return(PROCEED));
    });
    findRecent(this, known, (flow) => withBackend(flow, this).and(() => flow.revNatIndex.ne(0))).ifFound((flow) => {
      translate(serviceOf(flow, now, () => forgetFlow(this, flow)));
      b.return(PROCEED);
    });
    b.if(known.olderCount.ne(0), () => {
      const key = { cookie: this.cookie(), address: this.address, port: this.port };
      const entry = b.lookup(maps.reverseSk, key).orReturn(PROCEED);
      translate({
        address: entry.address,
        port: entry.port,
        revNatIndex: entry.revNatIndex,
        forget: () => b.delete(maps.reverseSk, key),
      });
    });
  }

  /** Runs `translate` with the service that the socket is connected to, if connect(2) named one. */
  findPeer(translate: (found: ReverseNat) => void): void {
    const known = this.b.skStorageGet(this.maps.flows, this.socket).orReturn(PROCEED);
    this.#translatePeer(known, currentGeneration(this), translate);
  }

  #translatePeer({ peer }: Ref<SocketFlows>, now: Scalar<"u32">, translate: (found: ReverseNat) => void): void {
    const { b } = this;
    b.if(withBackend(peer, this), () => {
      b.if(peer.revNatIndex.ne(0), () => translate(serviceOf(peer, now, () => peer.revNatIndex.set(0))));
      b.return(PROCEED);
    });
  }

  /** Forgets what is remembered, and leaves the address as it is, where the service is gone or another. */
  dropIfStale(found: ReverseNat): void {
    const drop = () =>
      unlessStillService(this, found, () => {
        this.features.counters?.countMiss(this, found.revNatIndex);
        found.forget();
        this.b.return(PROCEED);
      });
    this.emit("PRE_REVERSE", () => found);
    if (found.outdated === undefined) drop();
    else this.b.if(found.outdated, drop);
  }

  /** The process sees the service. */
  rewriteSource(found: ReverseNat): void {
    this.count(found.revNatIndex, "replies");
    this.emit("POST_REVERSE", () => ({ revNatIndex: found.revNatIndex, translated: found }));
    this.rewrite(found);
  }
}

/** The service that a flow is to. */
const serviceOf = (flow: Ref<Flow>, now: Scalar<"u32">, forget: () => void): ReverseNat => ({
  address: flow.serviceAddress,
  port: flow.servicePort,
  get revNatIndex() {
    return flow.revNatIndex;
  },
  outdated: flow.generation.ne(now),
  forget,
});

/** The source of a datagram gives way to its service. */
export function translateReply(call: ReplyCall): void {
  call.findReverseNat((service) => {
    call.dropIfStale(service);
    call.rewriteSource(service);
  });
}

/** The address that the socket is connected to gives way to its service. */
export function translatePeer(call: ReplyCall): void {
  call.findPeer((service) => {
    call.dropIfStale(service);
    call.rewriteSource(service);
  });
}
