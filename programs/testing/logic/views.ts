import type { DataPathOptions } from "../../index.ts";
import { endpointText, type Endpoint } from "../endpoint.ts";
import { HOSTS, PORTS } from "./stage.ts";

/** An option that switches part of the programs on or off; an empty list is off. */
export type Switch = {
  [K in keyof DataPathOptions]: DataPathOptions[K] extends boolean | readonly unknown[] ? K : never;
}[keyof DataPathOptions];

/** Six services and six backends by number, distinguished by addresses or ports. */
export interface Scheme {
  readonly name: string;
  service(i: number): Endpoint;
  backendEndpoint(i: number): Endpoint;
  backend(i: number): string;
  /** An unused address with the port of backend `i`, beside it in the service filter. */
  besideBackend(i: number): Endpoint;
}

/** The families of sockets and addresses: IPv4, IPv6, and IPv4-mapped addresses on IPv6 sockets. */
export interface View {
  readonly name: string;
  readonly family: 4 | 6;
  readonly needs: readonly Switch[];
  /** An address as a process gives it and receives it. */
  asked(endpoint: Endpoint): Endpoint;
  /** The first distinguishes services and backends by port, and has one for each of `PORTS`. */
  readonly schemes: readonly [Scheme, ...Scheme[]];
}

function scheme(name: string, service: (i: number) => Endpoint, backendEndpoint: (i: number) => Endpoint): Scheme {
  return {
    name,
    service,
    backendEndpoint,
    backend: (i) => endpointText(backendEndpoint(i)),
    besideBackend(i) {
      const { address, port } = backendEndpoint(i);
      return { address: address.replace(/[0-9a-f]+$/, address.includes(":") ? "fa" : "250"), port };
    },
  };
}

const schemes4 = [
  scheme(
    "by port",
    (i) => ({ address: "100.0.0.1", port: 1000 + i }),
    (i) => ({ address: HOSTS[4][0], port: PORTS[i]! }),
  ),
  scheme(
    "by address",
    (i) => ({ address: `100.0.0.${1 + i}`, port: 80 }),
    (i) => ({ address: HOSTS[4][i]!, port: PORTS[0]! }),
  ),
] as const;

const schemes6 = [
  scheme(
    "by port",
    (i) => ({ address: "fd00:100::1", port: 1000 + i }),
    (i) => ({ address: HOSTS[6][0], port: PORTS[i]! }),
  ),
  scheme(
    "by lower half of the address",
    (i) => ({ address: `fd00:100::${1 + i}`, port: 80 }),
    (i) => ({ address: HOSTS[6][i]!, port: PORTS[0]! }),
  ),
  scheme(
    "by upper half of the address",
    (i) => ({ address: `fd00:10${i}::1`, port: 80 }),
    (i) => ({ address: HOSTS[6][i === 0 ? 0 : 5 + i]!, port: PORTS[0]! }),
  ),
] as const;

export const views: readonly [ipv4: View, mapped: View, ipv6: View] = [
  { name: "IPv4", family: 4, needs: [], asked: (endpoint) => endpoint, schemes: schemes4 },
  {
    name: "IPv4 mapped",
    family: 6,
    needs: ["ipv6"],
    asked: ({ address, port }) => ({ address: `::ffff:${address}`, port }),
    schemes: schemes4,
  },
  { name: "IPv6", family: 6, needs: ["ipv6"], asked: (endpoint) => endpoint, schemes: schemes6 },
];
