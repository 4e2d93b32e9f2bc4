/**
 * A call: a system call on a socket, as one of the programs sees it. It has all
 * that a step works with: the builder, the socket, the maps of the address
 * family, the options, counters and events.
 *
 * The steps of the article are verbs of a call: `ForwardCall` (forward.ts) goes
 * from a client to a backend, `ReplyCall` (reply.ts) from a backend to a client.
 * Each takes the builders of those hooks only that offer its helpers.
 */
import {
  REJECT,
  type AnyContext,
  type BuilderWith,
  type Condition,
  type Field,
  type IpAddress,
  type IpAddressField,
  type Ipv6Field,
  type Scalar,
  type SockAddr4,
  type SockAddr6,
  type Socket,
} from "tsbpf";
import { maps4, maps6, type Counters, type Maps, type NO_SERVICE } from "./maps.ts";
import type { DataPathOptions } from "./options.ts";

/** The helpers of every call. All hooks on sockets offer them. */
export type CallHelper =
  | "getCurrentAncestorCgroupId"
  | "getCurrentCgroupId"
  | "getCurrentPidTgid"
  | "getNetnsCookie"
  | "getPrandomU32"
  | "getSocketCookie"
  | "ktimeGetNs"
  | "ringbufOutput"
  | "skStorageGet";

/** A call on a socket. */
export class Call {
  readonly b: BuilderWith<CallHelper>;
  readonly maps: Maps;
  readonly context: AnyContext;
  readonly features: Features;

  constructor(b: BuilderWith<CallHelper>, maps: Maps, context: AnyContext, features: Features) {
    this.b = b;
    this.maps = maps;
    this.context = context;
    this.features = features;
  }

  get options(): DataPathOptions {
    return this.features.options;
  }

  /** The socket, as maps of socket storage take it. */
  get socket(): Socket {
    return this.context;
  }

  /** The socket's cookie, its key in the reverse NAT map. */
  cookie(): Scalar<"u64"> {
    return this.b.getSocketCookie(this.context);
  }

  /** The cookie of the socket's network namespace. */
  netnsCookie(): Scalar<"u64"> {
    return this.b.getNetnsCookie(this.context);
  }

  /** Counts something of a service. */
  count(revNatIndex: RevNatIndex, counter: Counter): void {
    this.features.counters?.count(this, revNatIndex, counter);
  }

  /** Counts a write or deletion that failed. */
  countFailure(result: Scalar<"i64">, revNatIndex: RevNatIndex, counter: Counter): void {
    if (this.features.counters !== undefined) this.b.if(result.ne(0), () => this.count(revNatIndex, counter));
  }
}

/** A call about an address: the one in the context, which the program reads and may write. */
export class AddressCall extends Call {
  readonly #address: SocketAddress;

  constructor(b: BuilderWith<CallHelper>, address: SocketAddress, features: Features) {
    super(b, address.maps, address.context, features);
    this.#address = address;
  }

  override get socket(): Socket {
    return this.#address.context.sk;
  }

  /** IP protocol number. */
  get protocol(): Scalar<"u32"> {
    return this.#address.context.protocol;
  }

  /** The address in the context, read anew each time that it is named. */
  get address(): IpAddressField {
    return this.#address.read();
  }

  /** The same as the scalar or `Ipv6` that it is. */
  get ownAddress(): Field<"be32"> | Ipv6Field {
    return this.#address.read();
  }

  get port(): Field<"be16"> {
    return this.#address.context.userPort;
  }

  /** The kernel has connected the socket to the address. */
  isConnectedHere(): Condition {
    const { sk } = this.#address.context;
    return sk.state.eq(CONNECTED).and(() => sk.dstPort.eq(this.port).and(() => this.#address.isPeer()));
  }

  /** Writes the address and port that the process or the kernel sees from now on. */
  rewrite({ address, port }: Endpoint): void {
    this.address.set(address);
    this.port.set(port);
  }

  /** Writes an event, where the programs are built to. `about` runs only then. */
  emit(moment: Moment, about: () => EventSubject): void {
    this.features.events?.emit(this, moment, about);
  }
}

/** A call that may fail with an errno: connect(2) and sendmsg(2). */
export abstract class RefusableCall extends AddressCall {
  declare readonly b: BuilderWith<CallHelper | "setRetval", 0 | 1>;
  /** The errno of the call, unless the options name another. */
  protected abstract readonly noBackendErrno: number;

  constructor(b: BuilderWith<CallHelper | "setRetval", 0 | 1>, address: SocketAddress, features: Features) {
    super(b, address, features);
  }

  /**
   * Ends the program and fails the system call: with EPERM where the kernel lacks `bpf_set_retval`.
   * @param errno unless given, the one for a service without backends
   */
  refuse(errno?: number): void {
    const { setRetval, noBackendErrno = this.noBackendErrno } = this.options;
    if (setRetval) this.b.setRetval(-(errno ?? noBackendErrno));
    this.b.return(REJECT);
  }
}

/** An address and port, wherever they are: in a flow, a slot, a service's key. */
export interface Endpoint {
  readonly address: IpAddress;
  readonly port: Scalar<"be16">;
}

/** A service as it was at one moment. */
export interface Service {
  readonly revNatIndex: Scalar<"u16">;
  /** `ServiceFlag`s. Programs test only those that they are built for. */
  readonly flags: Scalar<"u16">;
  /** Seconds; 0: clients do not keep their backend. */
  readonly affinityTimeout: Scalar<"u32">;
  /** Index of its first slot, and the number of slots. */
  readonly base: Scalar<"u32">;
  readonly count: Scalar<"u32">;
}

/** Names a service in counters; `NO_SERVICE` where none can be named. */
export type RevNatIndex = Scalar<"u16"> | typeof NO_SERVICE;

/** The name of a counter. */
export type Counter = keyof Counters["fields"];

/** When an event is written: before and after each translation, towards the backend and back. */
export type Moment = "PRE_FORWARD" | "POST_FORWARD" | "PRE_REVERSE" | "POST_REVERSE";

/** The subject of an event. */
export interface EventSubject {
  readonly revNatIndex: Scalar<"u16">;
  readonly translated?: Endpoint;
}

/**
 * The options, and the parts that they add to the steps, each in a file of its
 * own. A part that the options switch off is undefined; features.ts puts them
 * together.
 */
export interface Features {
  readonly options: DataPathOptions;
  readonly counters?: {
    count(call: Call, revNatIndex: RevNatIndex, counter: Counter): void;
    /** Counts a flow whose service is gone or has become another. */
    countMiss(call: Call, revNatIndex: Scalar<"u16">): void;
  };
  readonly events?: { emit(call: AddressCall, moment: Moment, about: () => EventSubject): void };
  /** Conditions under which a socket that asks for the service is not balanced. */
  readonly exemptions: readonly ((call: AddressCall, service: Service) => Condition)[];
  /** The client's backend of last time, else the one that `select` gives. */
  readonly affinity?: (call: AddressCall, service: Service, select: () => Endpoint) => Endpoint;
  /** Which sockets are connected to which backend, so that the control plane can close them. */
  readonly connections?: {
    note(call: AddressCall, service: Service, backend: Endpoint): void;
    forget(call: Call): void;
  };
}

/** Where a context keeps its address, and the maps of the address's family. */
export interface SocketAddress {
  readonly maps: Maps;
  readonly context: SockAddr4 | SockAddr6;
  readonly read: () => Field<"be32"> | Ipv6Field;
  /** The address is the one in the kernel's socket, whether that is connected or was. */
  readonly isPeer: () => Condition;
}

/** `TCP_ESTABLISHED`, which is also the state of a connected datagram socket. */
export const CONNECTED = 1;

/** An IPv4 socket's address. */
export const ipv4Address = (ctx: SockAddr4): SocketAddress => ({
  maps: maps4,
  context: ctx,
  read: () => ctx.userIp4,
  isPeer: () => ctx.sk.dstIp4.eq(ctx.userIp4),
});

/** An IPv6 socket's address. */
export const ipv6Address = (ctx: SockAddr6): SocketAddress => ({
  maps: maps6,
  context: ctx,
  read: () => ctx.userIp6,
  isPeer: () => ctx.sk.dstIp6.eq(ctx.userIp6),
});

/** The IPv4 address that an IPv6 socket names in its mapped form (RFC 4291, section 2.5.5.2). */
export const mappedAddress = (ctx: SockAddr6): SocketAddress => ({
  maps: maps4,
  context: ctx,
  read: () => ctx.userIp6.v4(),
  isPeer: () => ctx.sk.dstIp6.eq(ctx.userIp6),
});
