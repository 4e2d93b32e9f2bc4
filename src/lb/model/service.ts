/** Services and their backends. */
import { BackendState, Scope, ServiceFlag } from "../../../programs/index.ts";
import { decodeValue, encodeValue, ipv6 } from "../../types/index.ts";

export { ServiceFlag };

/** The transport protocols that are balanced. */
export type Protocol = "tcp" | "udp" | "udplite";

/** IP protocol numbers, as in the keys of the services map. */
export const ProtocolNumber = { tcp: 6, udp: 17, udplite: 136 } as const satisfies Record<Protocol, number>;

/** Each family has its own maps. */
export type AddressFamily = "ipv4" | "ipv6";

/** An address and port that a socket can connect to. */
export interface Endpoint {
  /** Dotted IPv4, or IPv6 as in RFC 5952. */
  readonly address: string;
  /** 1 to 65535, host byte order. */
  readonly port: number;
}

/** The states of a backend, by the names that users give them. */
export const backendStates = {
  /** Takes new flows. */
  active: BackendState.ACTIVE,
  /** Keeps its flows. Takes new ones only when the service has no active backend. */
  terminating: BackendState.TERMINATING,
  /** Failed its health check: takes no flows and loses those it has. */
  quarantined: BackendState.QUARANTINED,
  /** Taken out of service by an operator: takes no flows and loses those it has. */
  maintenance: BackendState.MAINTENANCE,
} as const;

/** The name of a backend's state. */
export type BackendStateName = keyof typeof backendStates;

/** A backend of a service. */
export interface BackendDefinition extends Endpoint {
  /** Share of new flows relative to the other backends: 1 to `MAX_WEIGHT`. */
  readonly weight: number;
  readonly state: BackendStateName;
}

/** A backend, and the node it runs on. */
export interface Backend extends BackendDefinition {
  /** Absent: the backend is local to no node. */
  readonly node?: string | undefined;
}

/** `cluster`: all backends. `local`: only those on this node. */
export type TrafficPolicy = "cluster" | "local";

/**
 * A service as its owner wants it. All its addresses are of one family.
 *
 * @example
 * ```ts
 * import type { Service } from "tsbpf/lb";
 *
 * const web: Service = {
 *   name: "web",
 *   protocol: "tcp",
 *   address: "10.96.0.10",
 *   port: 80,
 *   backends: [{ address: "192.0.2.1", port: 8080, weight: 1, state: "active" }],
 * };
 * ```
 */
export interface Service {
  /** Unique; at most `MAX_NAME_BYTES` bytes of UTF-8. */
  readonly name: string;
  readonly protocol: Protocol;
  /** The service's own address. Absent: the service has only the other kinds. */
  readonly address?: string | undefined;
  /** Port of `address` and `externalAddresses`. */
  readonly port?: number | undefined;
  /** A port on every local address of the host; no process may bind it. */
  readonly nodePort?: number | undefined;
  /** A port on `hostIP`, or on every local address of the host. */
  readonly hostPort?: number | undefined;
  /** An address of the host. `0.0.0.0` and `::`: as if absent. */
  readonly hostIP?: string | undefined;
  /** Addresses of the host that serve `port` too. */
  readonly externalAddresses?: readonly string[] | undefined;
  /** Which backends serve `address`. Default: `cluster`. */
  readonly internalTrafficPolicy?: TrafficPolicy | undefined;
  /** Which backends serve `nodePort`. Default: `cluster`. */
  readonly externalTrafficPolicy?: TrafficPolicy | undefined;
  /** This node's backends replace the existing host `address`. Without any, calls to `address` pass through. */
  readonly localRedirect?: boolean | undefined;
  /** Empty: calls to the service are refused. */
  readonly backends: readonly Backend[];
  /** The selection of backends. Default: `random`. */
  readonly algorithm?: "random" | "maglev" | undefined;
  /** Session affinity in seconds: a client keeps its backend that long. Default: 0, no affinity. */
  readonly affinityTimeout?: number | undefined;
  /** Close sockets connected through the service when it loses their backend. Default: false. */
  readonly closeSockets?: boolean | undefined;
  /** A backend's own calls to the service pass through. Default: false. */
  readonly skipSelf?: boolean | undefined;
}

/** One address of a service: an entry of the services map. */
export interface FrontEnd extends Endpoint {
  readonly scope: number;
  /** `ServiceFlag` bits. */
  readonly flags: number;
}

/**
 * A service, or the part of one whose addresses share their backends, in the
 * form the maps hold: one address family, one or more front ends.
 */
export interface ServiceDefinition {
  /** The same for all parts of a service; at most `MAX_NAME_BYTES` bytes of UTF-8. */
  readonly name: string;
  readonly protocol: Protocol;
  readonly frontEnds: readonly FrontEnd[];
  /** All different. Empty: calls to the service are refused. */
  readonly backends: readonly BackendDefinition[];
  /** Session affinity in seconds; 0: none. */
  readonly affinityTimeout: number;
  /** Slots of the Maglev table. Absent: selection is random. */
  readonly maglevTableSize?: number | undefined;
  /** The index to use if it is free. Absent: any. */
  readonly revNatIndex?: number | undefined;
}

/**
 * The most services of one family, whatever the maps' sizes. A `rev_nat_index`
 * has 16 bits in Cilium's layout of reverse entries, and 0 names no service.
 */
export const MAX_SERVICES = 0xffff;

export const MAX_NAME_BYTES = 63;

export const MAX_WEIGHT = 0xffff;

/** The family of an address in text form. */
export function familyOf(address: string): AddressFamily {
  return address.includes(":") ? "ipv6" : "ipv4";
}

/** An address in the spelling that maps return, so that texts compare. */
export function canonicalAddress(address: string): string {
  return familyOf(address) === "ipv4" ? address : decodeValue(ipv6, encodeValue(ipv6, address));
}

/** As a destination, the loopback address. In the scope of node ports, the mark of a taken port. */
export const unspecified = { ipv4: "0.0.0.0", ipv6: "::" } as const satisfies Record<AddressFamily, string>;

/** Whether this is `0.0.0.0` or `::`, in any spelling. */
export function isUnspecified(address: string): boolean {
  return address === unspecified.ipv4 || /^[0:.]*:[0:.]*$/.test(address);
}

/** A service with an unspecified `hostIP` as one without: on every local address, as in Kubernetes. */
export function withSpecificHostIP<S extends { readonly hostIP?: string | undefined }>(service: S): S {
  return service.hostIP !== undefined && isUnspecified(service.hostIP) ? { ...service, hostIP: undefined } : service;
}

/** Whether sockets can call this front end. The other scope only marks a port for bind(2). */
export function isReachable({ scope }: { readonly scope: number }): boolean {
  return scope === Scope.EVERYWHERE;
}

/** Whether a front end of the service has this `ServiceFlag`. */
export function hasFlag(
  { frontEnds }: { readonly frontEnds: readonly { readonly flags: number }[] },
  flag: number,
): boolean {
  return frontEnds.some(({ flags }) => (flags & flag) !== 0);
}

/** Whether any service has this `ServiceFlag`. */
export function anyHasFlag(services: readonly Parameters<typeof hasFlag>[0][], flag: number): boolean {
  return services.some((service) => hasFlag(service, flag));
}

/**
 * An endpoint as text: `192.0.2.1:80`, `[2001:db8::1]:80`.
 *
 * @example
 * ```ts
 * import { endpointText } from "tsbpf/lb";
 *
 * endpointText({ address: "2001:db8::1", port: 80 }); // "[2001:db8::1]:80"
 * ```
 */
export function endpointText({ address, port }: Endpoint): string {
  return familyOf(address) === "ipv4" ? `${address}:${port}` : `[${address}]:${port}`;
}

/** The name of an IP protocol number, or undefined for one that is not balanced. */
export function protocolOf(number: number): Protocol | undefined {
  return (Object.keys(ProtocolNumber) as Protocol[]).find((protocol) => ProtocolNumber[protocol] === number);
}

/** The name of a state's number, or undefined for an unknown one. */
export function backendStateOf(number: number): BackendStateName | undefined {
  return (Object.keys(backendStates) as BackendStateName[]).find((name) => backendStates[name] === number);
}
