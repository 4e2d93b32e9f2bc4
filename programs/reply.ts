/**
 * The way back: calls whose address is a backend's, with the actions of step 4
 * as their verbs. recvmsg.ts and getpeername.ts say in which order.
 */
import { PROCEED, type Condition, type Scalar } from "tsbpf";
import { AddressCall, type Endpoint } from "./call.ts";
import { unlessStillService } from "./find-service.ts";
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
   * is a backend's: for each of the two places where that is remembered. Any other
   * address stays as it is.
   */
  findReverseNat(translate: (found: ReverseNat) => void): void {
    const { b, maps } = this;
    // A socket that never asked for a service has no storage, and is done here.
    const known = b.skStorageGet(maps.flows, this.socket).orReturn(PROCEED);
    const now = currentGeneration(this);
    findRecent(this, known, (flow) => withBackend(flow, this).and(() => flow.revNatIndex.ne(0))).ifFound((flow) => {
      translate({
        address: flow.serviceAddress,
        port: flow.servicePort,
        get revNatIndex() {
          return flow.revNatIndex;
        },
        outdated: flow.generation.ne(now),
        forget: () => forgetFlow(this, flow),
      });
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

  /** Drops the flow and keeps the address if the service is gone or another. */
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

/** Replaces a backend's address by its service's. */
export function translateReply(call: ReplyCall): void {
  call.findReverseNat((service) => {
    call.dropIfStale(service);
    call.rewriteSource(service);
  });
}
