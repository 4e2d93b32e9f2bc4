/**
 * The way to a backend: calls that name a service, with the actions of step 2
 * as their verbs. connect.ts and sendmsg.ts say in which order.
 */
import { Errno, PROCEED, type Nullable, type Ref, type Scalar } from "tsbpf";
import { RefusableCall, type Endpoint, type Service } from "./call.ts";
import { findService, mayBeService } from "./find-service.ts";
import type { Flow, SocketFlows } from "./maps.ts";
import {
  addReverseNat,
  currentGeneration,
  findRecent,
  forgetBackend,
  setDirectPeer,
  setPeer,
  toService,
} from "./reverse-nat.ts";
import { seedOfSocket, selectBackend } from "./select-backend.ts";

/** A call that names a service, or any other destination. */
export abstract class ForwardCall extends RefusableCall {
  /** The call is a connect(2), not a sendmsg(2). */
  protected abstract readonly connecting: boolean;
  /** A number spread evenly over 32 bits, which chooses among the backends. */
  protected abstract seed(): Scalar<"u32">;

  /** Ends the program: the call goes on with the address that the process named. */
  protected passThrough(): void {
    this.b.return(PROCEED);
  }

  /** The service at the destination. Without one, or for a socket that is exempt, the call goes on as it is. */
  findService(): Service {
    const service = findService(this, () => this.passThrough());
    this.#skipIfExempt(service);
    this.emit("PRE_FORWARD", () => service);
    return service;
  }

  #skipIfExempt(service: Service): void {
    const [first, ...others] = this.features.exemptions;
    if (first === undefined) return;
    this.b.if(
      others.reduce((any, exempt) => any.or(() => exempt(this, service)), first(this, service)),
      () => {
        this.count(service.revNatIndex, "leftAlone");
        this.passThrough();
      },
    );
  }

  /** One of the service's backends. Without any, the call fails. */
  selectBackend(service: Service): Endpoint {
    return selectBackend(this, service, () => this.seed());
  }

  /** Remembers the service, so that the backend's replies come from it. Where that fails, so does the call. */
  abstract addReverseNat(service: Service, backend: Endpoint): void;

  /** connect(2) leaves the socket's former connection. */
  forgetConnection(): void {
    this.features.connections?.forget(this);
  }

  /** Notes that the socket is connected to the backend, so that it can be closed when the service loses the backend. */
  noteConnection(service: Service, backend: Endpoint): void {
    if (this.notesConnections) this.features.connections?.note(this, service, backend);
  }

  protected get notesConnections(): boolean {
    return this.connecting && this.features.connections !== undefined;
  }

  /** The socket's packets go to the backend. */
  rewriteDestination(service: Pick<Service, "revNatIndex">, backend: Endpoint): void {
    this.count(service.revNatIndex, "translated");
    this.emit("POST_FORWARD", () => ({ revNatIndex: service.revNatIndex, translated: backend }));
    this.rewrite(backend);
  }
}

/** A datagram's destination, or connect(2) of a datagram socket. */
export class DatagramCall extends ForwardCall {
  protected readonly noBackendErrno = Errno.EHOSTUNREACH;
  protected readonly connecting: boolean = false;
  #storage: Nullable<SocketFlows, 0 | 1> | undefined;

  /** The socket's flows; null if it never talked to a service. */
  get #flows(): Nullable<SocketFlows, 0 | 1> {
    if (this.#storage === undefined) this.#storage = this.b.skStorageGet(this.maps.flows, this.socket);
    return this.#storage;
  }

  /** The socket's cookie: a socket stays with its backend. */
  protected seed(): Scalar<"u32"> {
    return seedOfSocket(this);
  }

  /** Also forgets that a service may have sent the socket to this address: its replies are its own. */
  protected override passThrough(): void {
    forgetBackend(this, this.#flows);
    if (this.connecting) setDirectPeer(this, this.#flows);
    super.passThrough();
  }

  /**
   * The short way for a socket that asks again: if no service has changed since,
   * its datagrams go to the same backend, and the program ends. A connection that
   * is to be noted takes the long way: its service's flags are needed.
   */
  repeatFlow(): void {
    this.#flows.match(
      (known) => {
        if (this.notesConnections) return;
        const now = currentGeneration(this);
        const current = (flow: Ref<Flow>) => toService(flow, this).and(() => flow.generation.eq(now));
        findRecent(this, known, current).ifFound((flow) => {
          this.emit("PRE_FORWARD", () => flow);
          this.#follow(known, flow);
        });
      },
      () => this.#endIfFiltered(),
    );
  }

  /** Without flows there is nothing to forget, so the filter alone can end the call; else `findService` asks it. */
  #endIfFiltered(): void {
    this.b.if(mayBeService(this).not(), () => this.b.return(PROCEED));
  }

  /** The socket's earlier backend, while the service has it; else the one that the socket's cookie selects. */
  override selectBackend(service: Service): Endpoint {
    this.#keepBackend(service);
    return super.selectBackend(service);
  }

  /** Follows the flow of an earlier generation, if its backend still belongs to the service. */
  #keepBackend(service: Service): void {
    const { b, maps } = this;
    const { revNatIndex } = service;
    this.#flows.ifFound((known) => {
      const same = (flow: Ref<Flow>) => toService(flow, this).and(() => flow.revNatIndex.eq(revNatIndex));
      findRecent(this, known, same).ifFound((flow) => {
        const { backendAddress: address, backendPort: port } = flow;
        b.lookup(maps.backends, { address, port, revNatIndex }).ifFound(() => {
          flow.generation.set(currentGeneration(this));
          this.noteConnection(service, { address, port });
          this.#follow(known, flow);
        });
      });
    });
  }

  /** Goes to the flow's backend, and ends the program. */
  #follow(known: Ref<SocketFlows>, flow: Ref<Flow>): void {
    if (this.connecting) setPeer(this, known, flow);
    this.rewriteDestination(flow, backendOf(flow));
    this.b.return(PROCEED);
  }

  addReverseNat(service: Service, backend: Endpoint): void {
    addReverseNat(this, service, backend, this.connecting);
  }
}

/** The flow's backend, read anew at each use: keeping it across an event's helper calls takes more instructions. */
const backendOf = (flow: Ref<Flow>): Endpoint => ({
  get address() {
    return flow.backendAddress;
  },
  get port() {
    return flow.backendPort;
  },
});
