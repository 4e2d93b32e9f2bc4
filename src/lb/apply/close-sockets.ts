/**
 * Closes sockets that are connected through a service to a backend that the
 * service has lost. Programs record each such connection by socket cookie
 * (programs/connections.ts). The maps alone show what to close, so a later call
 * also finds what a killed process has left. A socket connected to a backend's
 * own address is not recorded.
 */
import { setImmediate } from "node:timers/promises";
import { ServiceFlag, type Maps } from "../../../programs/index.ts";
import {
  BpfError,
  cookieOf,
  destinationOf,
  networkNamespaces,
  SocketDiagnosis,
  SocketState,
  type SocketFamily,
} from "../../kernel/index.ts";
import type { MapHandle, MapValue } from "../../loader/index.ts";
import { endpointText, LoadBalancerError, type AddressFamily, type Endpoint } from "../model/index.ts";

/** The maps of an address family that show connections and which of them are allowed. */
export type ConnectionMaps = { readonly [K in "services" | "backends" | "connections"]: MapHandle<Maps[K]> };

type Connection = MapValue<Maps["connections"]>;

/** TCP states in which the process may still use the socket. */
const STREAM_STATES = [
  SocketState.SYN_SENT,
  SocketState.ESTABLISHED,
  SocketState.FIN_WAIT1,
  SocketState.FIN_WAIT2,
  SocketState.CLOSE_WAIT,
  SocketState.LAST_ACK,
  SocketState.CLOSING,
];
/** Connected datagram sockets. Unconnected ones are never closed: they would lose their port. */
const DATAGRAM_STATES = [SocketState.ESTABLISHED];

const TCP = 6;

/**
 * Closes, in all visible network namespaces, the sockets whose backend is no
 * longer a backend of their service, if the service had
 * `ServiceFlag.CLOSE_SOCKETS` when they connected and has it still. Call this
 * after the last program that sends new flows to such backends has ended. The
 * next call of the sockets' processes fails with ECONNABORTED.
 *
 * MPTCP connections stay: the kernel cannot close them from outside.
 *
 * @param families maps by address family
 * @returns the number of closed sockets
 * @throws {LoadBalancerError} if sockets cannot be listed or closed
 */
export async function closeStaleSockets(families: ReadonlyMap<AddressFamily, ConnectionMaps>): Promise<number> {
  const stale = new Map(Array.from(families, ([family, maps]) => [family, staleConnections(maps)]));
  const wanted = new Map(Array.from(stale.values()).flatMap((connections) => [...connections]));
  let closed = 0;
  if (wanted.size === 0) return closed;
  // An IPv6 socket may be connected to an IPv4-mapped address, if IPv6 sockets are balanced.
  const socketFamilies = [...families.keys()];
  for (const namespace of networkNamespaces()) {
    closed += closeIn(namespace, socketFamilies, wanted);
    if (wanted.size === 0) break;
    // Many namespaces take a while: let the rest of this process run.
    await setImmediate();
  }
  // Forget the closed connections and those without a socket.
  for (const [family, connections] of stale) forget(families.get(family)!, connections);
  return closed;
}

/** Connections to backends that their services have lost, by cookie. */
function staleConnections({ services, backends, connections }: ConnectionMaps): Map<bigint, Connection> {
  const known = new Map<string, boolean>();
  const isMember = (connection: Connection): boolean => {
    const { address, port, revNatIndex } = connection;
    const text = `${revNatIndex}/${address}/${port}`;
    const found = known.get(text) ?? backends.has({ address, port, revNatIndex });
    known.set(text, found);
    return found;
  };
  const stale = new Map(Array.from(connections).filter(([, connection]) => !isMember(connection)));
  if (stale.size === 0) return stale;
  const sparing = new Set(
    Array.from(services)
      .filter(([, { flags }]) => (flags & ServiceFlag.CLOSE_SOCKETS) === 0)
      .map(([, { revNatIndex }]) => revNatIndex),
  );
  return new Map(Array.from(stale).filter(([, { revNatIndex }]) => !sparing.has(revNatIndex)));
}

/** Closes the wanted sockets of a network namespace and removes them from `wanted`. */
function closeIn(namespace: string, socketFamilies: readonly SocketFamily[], wanted: Map<bigint, Connection>): number {
  let closed = 0;
  try {
    using diagnosis = new SocketDiagnosis(namespace);
    // Listing walks all sockets of the machine: skip namespaces without wanted ones.
    const cookie = diagnosis.namespaceCookie();
    const here = [...wanted.values()].filter(({ netnsCookie }) => cookie === undefined || netnsCookie === cookie);
    for (const [protocol, destinations] of destinationsOf(here)) {
      const states = protocol === TCP ? STREAM_STATES : DATAGRAM_STATES;
      for (const family of socketFamilies) {
        const found = diagnosis.list({ family, protocol, states, destinations }).filter((socket) => {
          const connection = wanted.get(cookieOf(socket));
          if (connection === undefined || connection.protocol !== protocol || socket.inode === 0) return false;
          const { address, port } = destinationOf(socket);
          return address === connection.address && port === connection.port;
        });
        closed += diagnosis.destroy(protocol, found);
        for (const socket of found) wanted.delete(cookieOf(socket));
      }
    }
  } catch (error) {
    // The namespace and its sockets are gone.
    if ((error as NodeJS.ErrnoException).code === "ENOENT" && !(error instanceof BpfError)) return closed;
    if (!(error instanceof BpfError)) throw error;
    throw new LoadBalancerError(
      `cannot close the sockets of removed backends in network namespace ${namespace}: ${error.message}`,
      {
        hint:
          "the services are up to date, but clients may still be connected to removed backends" +
          `${error.hint === undefined ? "" : `; ${error.hint}`}`,
        cause: error,
      },
    );
  }
  return closed;
}

/** The different destinations by protocol. */
function destinationsOf(connections: Iterable<Connection>): Map<number, readonly Endpoint[]> {
  const byProtocol = new Map<number, Map<string, Endpoint>>();
  for (const { address, port, protocol } of connections) {
    const endpoints = byProtocol.get(protocol) ?? new Map<string, Endpoint>();
    byProtocol.set(protocol, endpoints.set(endpointText({ address, port }), { address, port }));
  }
  return new Map(Array.from(byProtocol, ([protocol, endpoints]) => [protocol, [...endpoints.values()]]));
}

/** Deletes the connections, except those of sockets that have reconnected. */
function forget({ connections }: ConnectionMaps, stale: ReadonlyMap<bigint, Connection>): void {
  const now = connections.getMany(stale.keys());
  const same = (a: Connection, b: Connection | undefined) =>
    a.address === b?.address && a.port === b.port && a.revNatIndex === b.revNatIndex;
  connections.deleteMany(
    Array.from(stale)
      .filter(([, connection], i) => same(connection, now[i]))
      .map(([cookie]) => cookie),
  );
}
