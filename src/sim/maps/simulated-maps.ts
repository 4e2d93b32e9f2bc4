import {
  mapDifference,
  mapKind,
  mapTypeName,
  type Infer,
  type MapDefinition,
  type MapType,
} from "../../types/index.ts";
import type { SimulatedSocket } from "../context/socket.ts";
import { KeyedMap, type KeyedMapValue } from "./keyed-map.ts";
import { ProgramArray } from "./program-array.ts";
import { RingBuffer } from "./ring-buffer.ts";
import { SocketStorage } from "./socket-storage.ts";

type AnyMap = KeyedMap | SocketStorage | RingBuffer | ProgramArray;

/** The user-space handle for a map's declaration. */
export type SimulatedMap<D extends MapDefinition> = D["type"] extends typeof MapType.SK_STORAGE
  ? SocketStorage<Infer<D["value"]>>
  : D["type"] extends typeof MapType.RINGBUF
    ? RingBuffer<Infer<D["value"]>>
    : D["type"] extends typeof MapType.PROG_ARRAY
      ? ProgramArray
      : KeyedMap<Infer<D["key"]>, KeyedMapValue<D>>;

/**
 * The maps of a simulated kernel, by name; created on first use.
 *
 * @example
 * ```ts
 * import { array, u64 } from "tsbpf";
 * import { SimulatedMaps, World } from "tsbpf/sim";
 *
 * const calls = array("calls", { value: u64, maxEntries: 1 });
 * const maps = new SimulatedMaps();
 * maps.of(calls).set(0, 7n);
 * const world = new World({ maps });
 * ```
 */
export class SimulatedMaps {
  readonly #maps = new Map<string, AnyMap>();
  /** The number of CPUs, for per-CPU maps. */
  readonly cpus: number;

  constructor({ cpus = 1 }: { cpus?: number } = {}) {
    this.cpus = cpus;
  }

  /**
   * The map of a declaration.
   * @throws {RangeError} for a type that is not simulated, or if the name belongs to a map of another shape
   */
  of<D extends MapDefinition>(definition: D): SimulatedMap<D> {
    let map = this.#maps.get(definition.name);
    if (map === undefined) this.#maps.set(definition.name, (map = this.#make(definition)));
    else if (map.definition !== definition) checkSameShape(map.definition, definition);
    return map as unknown as SimulatedMap<D>;
  }

  /** The map with that name, if it exists. */
  named(name: string): AnyMap | undefined {
    return this.#maps.get(name);
  }

  all(): IterableIterator<AnyMap> {
    return this.#maps.values();
  }

  /** Removes everything that belongs to a socket. */
  forget(socket: SimulatedSocket): void {
    for (const map of this.#maps.values()) if (map instanceof SocketStorage) map.delete(socket);
  }

  #make(definition: MapDefinition): AnyMap {
    const { simulated } = mapKind(definition.type);
    if (simulated === undefined)
      throw new RangeError(`map ${definition.name}: maps of type ${mapTypeName(definition.type)} are not simulated`);
    switch (simulated) {
      case "socket-storage":
        return new SocketStorage(definition);
      case "ring-buffer":
        return new RingBuffer(definition);
      case "program-array":
        return new ProgramArray(definition);
      case "hash":
      case "lru-hash":
      case "array":
      case "lpm-trie":
        return new KeyedMap(definition, this.cpus);
    }
  }
}

function checkSameShape(one: MapDefinition, other: MapDefinition): void {
  const difference = mapDifference(one, other);
  if (difference !== undefined)
    throw new RangeError(`cannot use map ${one.name}: it is declared twice, and ${difference}`);
}
