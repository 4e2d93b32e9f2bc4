/**
 * Closes the sockets that are connected, through a service, to a backend which
 * the service has lost. Programs keep by their cookies which sockets are
 * connected to which backend through which service (programs/connections.ts):
 * what is to be closed follows from the maps alone, so that a later call also
 * finds what one that was killed has left. A socket that is connected to a
 * backend's own address is not among them.
 */
import { setImmediate } from "node:timers/promises";
import { ServiceFlag, type Maps } from "../../../programs/maps.ts";
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
import { LoadBalancerError } from "../model/error.ts";
import { endpointText, type AddressFamily, type Endpoint } from "../model/service.ts";

/** The maps of an address family that say what sockets are connected to, and what they may be. */
export type ConnectionMaps = { readonly [K in "services" | "backends" | "connections"]: MapHandle<Maps[K]> };

type Connection = MapValue<Maps["connections"]>;

/** A stream's states in which its process may still use it. */
const STREAM_STATES = [
  SocketState.SYN_SENT,
  SocketState.ESTABLISHED,
  SocketState.FIN_WAIT1,
  SocketState.FIN_WAIT2,
  SocketState.CLOSE_WAIT,
  SocketState.LAST_ACK,
  SocketState.CLOSING,
];
/** Of datagram sockets the connected ones. Others are never closed: they would lose their port. */
const DATAGRAM_STATES = [SocketState.ESTABLISHED];

const TCP = 6;

/**
 * Closes, in all network namespaces that this process can see, the sockets
 * whose service had `ServiceFlag.CLOSE_SOCKETS` when they connected, has not
 * lost it since, and has their backend no more. To be called when no program
 * sends new flows to such backends any more. The sockets' processes get
 * ECONNABORTED from what they do next.
 *
 * MPTCP connections are not closed: the kernel has no means for it.
 *
 * @param families of each address family that is balanced
 * @returns how many were closed
 * @throws {LoadBalancerError} where the kernel does not let sockets be listed or closed
 */
export async function closeStaleSockets(families: ReadonlyMap<AddressFamily, ConnectionMaps>): Promise<number> {
  const stale = new Map(Array.from(families, ([family, maps]) => [family, staleConnections(maps)]));
  const wanted = new Map(Array.from(stale.values()).flatMap((connections) => [...connections]));
  let closed = 0;
  if (wanted.size === 0) return closed;
  // An IPv6 socket may be connected to an IPv4 address in its mapped form, where IPv6 sockets are balanced at all.
  const socketFamilies = [...families.keys()];
  for (const namespace of networkNamespaces()) {
    closed += closeIn(namespace, socketFamilies, wanted);
    if (wanted.size === 0) break;
    // What takes a moment for each of many namespaces must not keep all else of this process waiting.
    await setImmediate();
  }
  // Neither those that were closed nor those that are nowhere to be found are to be looked for again.
  for (const [family, connections] of stale) forget(families.get(family)!, connections);
  return closed;
}

/** By cookie, the connections to backends that their services do not have. */
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

/** Closes those of the wanted sockets that are in a network namespace, and strikes them out. */
function closeIn(namespace: string, socketFamilies: readonly SocketFamily[], wanted: Map<bigint, Connection>): number {
  let closed = 0;
  try {
    using diagnosis = new SocketDiagnosis(namespace);
    // Listing walks through the machine's sockets for each namespace: only where there is something to be found.
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
    // The namespace has gone, and its sockets with it.
    if ((error as NodeJS.ErrnoException).code === "ENOENT" && !(error instanceof BpfError)) return closed;
    if (!(error instanceof BpfError)) throw error;
    throw new LoadBalancerError(
      `cannot close the sockets of removed backends in network namespace ${namespace}: ${error.message}`,
      {
        hint: `the services are as they were asked for, but clients may still be connected to removed backends${error.hint === undefined ? "" : `; ${error.hint}`}`,
        cause: error,
      },
    );
  }
  return closed;
}

/** Each once, by protocol. */
function destinationsOf(connections: Iterable<Connection>): Map<number, readonly Endpoint[]> {
  const byProtocol = new Map<number, Map<string, Endpoint>>();
  for (const { address, port, protocol } of connections) {
    const endpoints = byProtocol.get(protocol) ?? new Map<string, Endpoint>();
    byProtocol.set(protocol, endpoints.set(endpointText({ address, port }), { address, port }));
  }
  return new Map(Array.from(byProtocol, ([protocol, endpoints]) => [protocol, [...endpoints.values()]]));
}

/** Deletes entries, except of sockets that have connected anew meanwhile. */
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
