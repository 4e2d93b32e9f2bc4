/** What the load balancer balances: services, and the backends behind them. */
import { BackendState, Scope, ServiceFlag } from "../../../programs/maps.ts";
import { decodeValue, encodeValue, ipv6 } from "../../types/index.ts";

export type Protocol = "tcp" | "udp" | "udplite";

/** IP protocol numbers, as they stand in the services map's key. */
export const ProtocolNumber = { tcp: 6, udp: 17, udplite: 136 } as const satisfies Record<Protocol, number>;

/** Each has maps of its own. */
export type AddressFamily = "ipv4" | "ipv6";

/** Where a socket can connect to. */
export interface Endpoint {
  /** IPv4, dotted, or IPv6 as RFC 5952 writes it. */
  readonly address: string;
  /** 1 to 65535. */
  readonly port: number;
}

/** What a backend is there for, as people call it. */
export const backendStates = {
  /** Takes new connections. */
  active: BackendState.ACTIVE,
  /** Keeps the flows that it has; takes new ones only where all backends are terminating. */
  terminating: BackendState.TERMINATING,
  /** Found faulty: takes nothing, and loses its flows. */
  quarantined: BackendState.QUARANTINED,
  /** Taken out by its keeper: the same. */
  maintenance: BackendState.MAINTENANCE,
} as const;

export type BackendStateName = keyof typeof backendStates;

export interface BackendDefinition extends Endpoint {
  /** Its share of new connections, beside the other backends' weights: 1 to `MAX_WEIGHT`. */
  readonly weight: number;
  readonly state: BackendStateName;
}

/** An entry of the services map. */
export interface FrontEnd extends Endpoint {
  readonly scope: number;
  /** `ServiceFlag`s. */
  readonly flags: number;
}

export { ServiceFlag };

/**
 * A service as the user wants it, or that part of one which has the same
 * backends: of one address family, under one or more addresses.
 */
export interface ServiceDefinition {
  /** The same for all parts of a service, at most `MAX_NAME_BYTES` bytes of UTF-8. */
  readonly name: string;
  readonly protocol: Protocol;
  readonly frontEnds: readonly FrontEnd[];
  /** None: connections to the service are refused. No two are the same. */
  readonly backends: readonly BackendDefinition[];
  /** Seconds for which a client keeps its backend; 0: it does not. */
  readonly affinityTimeout: number;
  /** Slots of its Maglev table, by which the client's address chooses; absent where the choice is random. */
  readonly maglevTableSize?: number | undefined;
  /** The index that it is to have if nobody else has it; absent where that does not matter. */
  readonly revNatIndex?: number | undefined;
}

/**
 * Services of a family at most, whatever the maps' sizes: each has a
 * `rev_nat_index` of its own, 16 bits in Cilium's layout of reverse entries,
 * where 0 names no service.
 */
export const MAX_SERVICES = 0xffff;

export const MAX_NAME_BYTES = 63;

export const MAX_WEIGHT = 0xffff;

export function familyOf(address: string): AddressFamily {
  return address.includes(":") ? "ipv6" : "ipv4";
}

/** An address in the form that the maps give it back in, so that texts can be compared. */
export function canonicalAddress(address: string): string {
  return familyOf(address) === "ipv4" ? address : decodeValue(ipv6, encodeValue(ipv6, address));
}

/** The address under which a NodePort of the family is marked as taken. */
export const unspecified = { ipv4: "0.0.0.0", ipv6: "::" } as const satisfies Record<AddressFamily, string>;

/** Sockets can ask for it: it is no mark for bind(2). */
export function isReachable({ scope }: { readonly scope: number }): boolean {
  return scope === Scope.EVERYWHERE;
}

/** Whether a service has a `ServiceFlag` under one of its addresses. */
export function hasFlag(
  { frontEnds }: { readonly frontEnds: readonly { readonly flags: number }[] },
  flag: number,
): boolean {
  return frontEnds.some(({ flags }) => (flags & flag) !== 0);
}

/** Whether any service has it. */
export function anyHasFlag(services: readonly Parameters<typeof hasFlag>[0][], flag: number): boolean {
  return services.some((service) => hasFlag(service, flag));
}

/** `192.0.2.1:80`, `[2001:db8::1]:80`. */
export function endpointText({ address, port }: Endpoint): string {
  return familyOf(address) === "ipv4" ? `${address}:${port}` : `[${address}]:${port}`;
}

/** The protocol of an IP protocol number; undefined where it is not balanced. */
export function protocolOf(number: number): Protocol | undefined {
  return (Object.keys(ProtocolNumber) as Protocol[]).find((protocol) => ProtocolNumber[protocol] === number);
}

/** A state's name; undefined where there is no such state. */
export function backendStateOf(number: number): BackendStateName | undefined {
  return (Object.keys(backendStates) as BackendStateName[]).find((name) => backendStates[name] === number);
}
