/**
 * Keeps the kernel from choosing node ports and host ports for other sockets.
 * What was reserved is in a pinned map, and it is there before the port is
 * reserved, so a later process releases it even after a kill.
 */
import type { MapHandle } from "../../loader/index.ts";
import { changeReservedPorts, namespaceCookie, namespaceWithCookie, reservedPorts } from "../host/index.ts";
import { ServiceFlag, type ServiceDefinition } from "../model/index.ts";
import type { reservedPortsMap } from "./maps.ts";

/** Ports that could not be reserved: bind(2) to port 0 fails with EPERM where the kernel chooses a node port. */
export interface UnreservedPorts {
  readonly ports: readonly number[];
  readonly reason: string;
}

/** The ports of the host that services take, ascending. */
export function portsOfHost(services: readonly ServiceDefinition[]): number[] {
  const ports = services.flatMap(({ frontEnds }) =>
    frontEnds
      .filter(({ flags }) => (flags & (ServiceFlag.NODE_PORT | ServiceFlag.HOST_PORT)) !== 0)
      .map(({ port }) => port),
  );
  return [...new Set(ports)].sort((a, b) => a - b);
}

/** The ports that are reserved for services, in the map and in the kernel. */
export class PortReservation {
  readonly #map: MapHandle<typeof reservedPortsMap>;
  readonly #namespace: string | undefined;

  /** @param namespace a file of the host's network namespace; absent: this process's */
  constructor(map: MapHandle<typeof reservedPortsMap>, namespace: string | undefined) {
    this.#map = map;
    this.#namespace = namespace;
  }

  /**
   * Reserves these ports beside those that are reserved.
   * @returns how to undo it, and the ports that could not be reserved
   * @throws {BpfError} if the map cannot be written
   */
  reserve(ports: readonly number[]): { readonly undo: () => void; readonly unreserved: UnreservedPorts | undefined } {
    if (ports.length === 0) return { undo: () => {}, unreserved: undefined };
    const netnsCookie = namespaceCookie(this.#namespace);
    let added: number[] = [];
    const undo = () => {
      changeReservedPorts(this.#namespace, { release: added });
      this.#map.deleteMany(added);
    };
    try {
      const before = reservedPorts(this.#namespace);
      // A port that something else has reserved is not ours to release.
      added = ports.filter((port) => !before.has(port) && this.#map.get(port)?.netnsCookie !== netnsCookie);
      this.#releaseElsewhere(netnsCookie);
      this.#map.setMany(added.map((port) => [port, { netnsCookie }] as const));
      // Those in the map too: a kill, or something else, may have kept them from the kernel.
      const ours = ports.filter((port) => this.#map.has(port));
      changeReservedPorts(this.#namespace, { reserve: ours });
      return { undo, unreserved: undefined };
    } catch (error) {
      if (!isFileError(error)) throw error;
      this.#map.deleteMany(added);
      return { undo: () => {}, unreserved: { ports, reason: error.message } };
    }
  }

  /** Releases what was reserved for services, except these ports. Throws as `releasePorts`. */
  releaseAllBut(ports: readonly number[]): void {
    const wanted = new Set(ports);
    releasePorts(this.#map, (port) => !wanted.has(port));
  }

  /** Ports reserved for another network namespace as the host's. */
  #releaseElsewhere(netnsCookie: bigint): void {
    releasePorts(this.#map, (_, cookie) => cookie !== netnsCookie);
  }
}

/**
 * Releases ports that were reserved for services.
 * @param chosen absent: all
 * @returns the ports that could not be released
 * @throws {BpfError} if the map cannot be written, or a network namespace not be entered
 */
export function releasePorts(
  map: MapHandle<typeof reservedPortsMap>,
  chosen: (port: number, netnsCookie: bigint) => boolean = () => true,
): UnreservedPorts | undefined {
  const portsByNamespace = new Map<bigint, number[]>();
  for (const [port, { netnsCookie }] of map) {
    if (!chosen(port, netnsCookie)) continue;
    portsByNamespace.set(netnsCookie, [...(portsByNamespace.get(netnsCookie) ?? []), port]);
  }
  let failed: UnreservedPorts | undefined;
  for (const [cookie, ports] of portsByNamespace) {
    const namespace = namespaceWithCookie(cookie);
    try {
      if (namespace !== undefined) changeReservedPorts(namespace, { release: ports });
      map.deleteMany(ports);
    } catch (error) {
      if (!isFileError(error)) throw error;
      failed = { ports: [...(failed?.ports ?? []), ...ports], reason: error.message };
    }
  }
  return failed;
}

/** Whether the error is from `fs`. */
function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error;
}
