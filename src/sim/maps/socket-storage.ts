import { decodeValue, encodeValue, MapType, type MapDefinition, type Schema } from "../../types/index.ts";
import { Region } from "../memory/region.ts";
import type { SimulatedSocket } from "../context/socket.ts";
import { MapRegion } from "./map-region.ts";

/**
 * A simulated socket storage: one value per socket. User space uses the socket as the key.
 *
 * @example
 * ```ts
 * import { skStorage, u64 } from "tsbpf";
 * import { World } from "tsbpf/sim";
 *
 * const since = skStorage("since", { value: u64 });
 * const world = new World();
 * const socket = world.socket();
 * world.map(since).set(socket, 5n);
 * world.destroy(socket);
 * console.log(world.map(since).get(socket)); // undefined
 * ```
 */
export class SocketStorage<V = unknown> {
  readonly definition: MapDefinition;
  readonly region: Region;
  readonly #values = new Map<SimulatedSocket, Region>();

  constructor(definition: MapDefinition) {
    if (definition.type !== MapType.SK_STORAGE)
      throw new RangeError(`cannot simulate map ${definition.name} as a socket storage: it has another type`);
    this.definition = definition;
    this.region = new MapRegion(definition.name, this);
  }

  get name(): string {
    return this.definition.name;
  }

  /** The value of a socket; undefined if it has none. */
  get(socket: SimulatedSocket): V | undefined {
    const value = this.#values.get(socket);
    return value === undefined ? undefined : decodeValue(this.definition.value as Schema<V>, value.bytes);
  }

  /** @throws {SchemaError} for a value that does not fit its schema */
  set(socket: SimulatedSocket, value: V): void {
    const bytes = encodeValue(this.definition.value as Schema<V>, value);
    (this.valueOf(socket) ?? this.create(socket)).bytes.set(bytes);
  }

  /** Removes a socket's value; false if there was none. */
  delete(socket: SimulatedSocket): boolean {
    const value = this.#values.get(socket);
    value?.invalidate("which was deleted");
    return this.#values.delete(socket);
  }

  /** Every socket with a value. */
  *entries(): Generator<[SimulatedSocket, V], void, undefined> {
    for (const socket of [...this.#values.keys()]) yield [socket, this.get(socket)!];
  }

  /** For helpers: the memory of a socket's value. */
  valueOf(socket: SimulatedSocket): Region | undefined {
    return this.#values.get(socket);
  }

  /** For helpers: creates a socket's value, a copy of `initial` or zeroes. */
  create(socket: SimulatedSocket, initial?: Uint8Array): Region {
    const value = new Region(
      `a value of socket storage ${this.name}`,
      initial?.slice() ?? new Uint8Array(this.definition.value.size),
    );
    this.#values.set(socket, value);
    return value;
  }
}
