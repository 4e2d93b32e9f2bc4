/**
 * Closes the sockets that are connected, through a service, to a backend which
 * the service has lost. Programs note on each socket what it is connected to and
 * through which service (programs/connections.ts), and the kernel lists these
 * notes with the sockets. So there is no table to search or to keep in step,
 * and a socket that talks to a backend's own address is never taken for another.
 */
import { setImmediate } from "node:timers/promises";
import type { Maps } from "../../programs/maps.ts";
import { BpfError, destinationOf, linux, networkNamespaces, SocketDiagnosis, SocketState, type DiagnosedSocket, type SocketFamily } from "../kernel/index.ts";
import type { MapHandle } from "../loader/index.ts";
import { decodeValue } from "../types/index.ts";
import { LoadBalancerError } from "./error.ts";
import { endpointText, familyOf, type AddressFamily, type Endpoint } from "./service.ts";

/** A backend that flows of a service may not stay with any more. */
export interface LostBackend extends Endpoint {
  /** Of the service. */
  readonly revNatIndex: number;
  /** IP protocol number, the service's. */
  readonly protocol: number;
}

/** The maps in which sockets' connections are noted, of each address family that is balanced. */
export type ConnectionMaps = ReadonlyMap<AddressFamily, MapHandle<Maps["connections"]>>;

/** A stream's states in which its process may still use it. */
const STREAM_STATES = [
  SocketState.SYN_SENT, SocketState.ESTABLISHED, SocketState.FIN_WAIT1, SocketState.FIN_WAIT2,
  SocketState.CLOSE_WAIT, SocketState.LAST_ACK, SocketState.CLOSING,
];
/** Of datagram sockets the connected ones. Others are never closed: they would lose their port. */
const DATAGRAM_STATES = [SocketState.ESTABLISHED];

const TCP = 6;

/**
 * Closes sockets of all network namespaces that this process can see. To be
 * called when no program sends new flows to these backends any more. The
 * sockets' processes get ECONNABORTED from what they do next.
 *
 * Only sockets count that were connected while the service had
 * `ServiceFlag.CLOSE_SOCKETS`. MPTCP connections are not closed: the kernel has
 * no means for it.
 *
 * @returns how many were closed
 * @throws {LoadBalancerError} where the kernel does not let sockets be listed or closed
 */
export async function closeSocketsOf(lost: readonly LostBackend[], maps: ConnectionMaps): Promise<number> {
  let closed = 0;
  if (lost.length === 0 || maps.size === 0) return closed;
  const searches = searchesFor(lost, maps);
  for (const namespace of networkNamespaces()) {
    closed += closeIn(namespace, searches);
    // What takes a moment for each of many namespaces must not keep all else of this process waiting.
    await setImmediate();
  }
  return closed;
}

/** What is to be looked for among the sockets of one family and protocol. */
interface Search {
  readonly family: SocketFamily;
  readonly protocol: number;
  readonly destinations: readonly Endpoint[];
  readonly storages: readonly number[];
  /** Whether a socket is connected to one of the lost backends through its service. */
  readonly matches: (socket: DiagnosedSocket) => boolean;
}

function searchesFor(lost: readonly LostBackend[], maps: ConnectionMaps): Search[] {
  const noted = new Map(Array.from(maps, ([family, { fd, definition }]) =>
    [family, { id: linux.mapInfo(fd).id, fd: fd.number, definition: definition as Maps["connections"] }]));
  const protocols = new Set(lost.map(({ protocol }) => protocol));
  return [...protocols].flatMap((protocol) => {
    const wanted = lost.filter((backend) => backend.protocol === protocol);
    const texts = new Set(wanted.map(connectionText));
    const matches = (socket: DiagnosedSocket): boolean => {
      const destination = destinationOf(socket);
      const map = noted.get(familyOf(destination.address));
      const bytes = map && socket.storages.get(map.id);
      if (bytes === undefined) return false;
      const connection = decodeValue(map!.definition.value, bytes);
      return connection.address === destination.address && connection.port === destination.port && texts.has(connectionText(connection));
    };
    // An IPv6 socket may be connected to an IPv4 address in its mapped form, where IPv6 sockets are balanced at all.
    return [...maps.keys()].flatMap((family): Search[] => {
      const reachable = family === "ipv4" ? ["ipv4"] : ["ipv4", "ipv6"];
      const destinations = distinct(wanted.filter(({ address }) => reachable.includes(familyOf(address))));
      const storages = [...noted].filter(([other]) => reachable.includes(other)).map(([, { fd }]) => fd);
      return destinations.length === 0 ? [] : [{ family, protocol, destinations, storages, matches }];
    });
  });
}

function closeIn(namespace: string, searches: readonly Search[]): number {
  let closed = 0;
  try {
    using diagnosis = new SocketDiagnosis(namespace);
    for (const { matches, protocol, ...search } of searches) {
      const states = protocol === TCP ? STREAM_STATES : DATAGRAM_STATES;
      const found = diagnosis.list({ ...search, protocol, states }).filter((socket) => socket.inode !== 0 && matches(socket));
      closed += diagnosis.destroy(protocol, found);
    }
  } catch (error) {
    // The namespace has gone, and its sockets with it.
    if ((error as NodeJS.ErrnoException).code === "ENOENT" && !(error instanceof BpfError)) return closed;
    if (!(error instanceof BpfError)) throw error;
    throw new LoadBalancerError(`cannot close the sockets of removed backends in network namespace ${namespace}: ${error.message}`, {
      hint: `the services are as they were asked for, but clients may still be connected to removed backends; ${error.hint ?? "close them by hand with ss --kill"}`,
      cause: error,
    });
  }
  return closed;
}

function distinct(backends: readonly Endpoint[]): Endpoint[] {
  return [...new Map(backends.map(({ address, port }) => [endpointText({ address, port }), { address, port }])).values()];
}

function connectionText({ address, port, revNatIndex }: Omit<LostBackend, "protocol">): string {
  return `${revNatIndex}/${endpointText({ address, port })}`;
}
