/** What the load balancer balances: services, and the backends behind them. */

export type Protocol = "tcp" | "udp";

/** IP protocol numbers, as they stand in the services map's key. */
export const ProtocolNumber = { tcp: 6, udp: 17 } as const satisfies Record<Protocol, number>;

/** Where a socket can connect to. */
export interface Endpoint {
  /** IPv4, dotted. */
  readonly address: string;
  /** 1 to 65535. */
  readonly port: number;
}

/** A service as the user wants it. */
export interface ServiceDefinition extends Endpoint {
  /** Unique, at most `MAX_NAME_BYTES` bytes of UTF-8. */
  readonly name: string;
  readonly protocol: Protocol;
  /** None: connections to the service are refused. No two are the same. */
  readonly backends: readonly Endpoint[];
}

/**
 * Services at most, whatever the maps' sizes: each has a `rev_nat_index` of its
 * own, 16 bits in Cilium's layout of reverse entries, where 0 names no service.
 */
export const MAX_SERVICES = 0xffff;

export const MAX_NAME_BYTES = 63;

/** `192.0.2.1:80`. */
export function endpointText({ address, port }: Endpoint): string {
  return `${address}:${port}`;
}

/** The protocol of an IP protocol number; undefined where it is not balanced. */
export function protocolOf(number: number): Protocol | undefined {
  return (Object.keys(ProtocolNumber) as Protocol[]).find((protocol) => ProtocolNumber[protocol] === number);
}
