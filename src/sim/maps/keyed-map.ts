import {
  decodeValue,
  encodeValue,
  MapFlag,
  isPerCpu,
  mapKind,
  type MapKind,
  type PerCpuMapType,
  UpdateFlag,
  type Infer,
  type MapDefinition,
  type Schema,
} from "../../types/index.ts";
import type { Region } from "../memory/region.ts";
import { ArrayStore } from "./array.ts";
import { SimulatedMapError } from "./errors.ts";
import { HashStore, LruHashStore } from "./hash.ts";
import { LpmTrieStore } from "./lpm-trie.ts";
import { MapRegion } from "./map-region.ts";
import type { Element, Store, StoreShape } from "./store.ts";

/** The TypeScript type of a map's values; for a per-CPU map, an array with one value per CPU. */
export type KeyedMapValue<D extends MapDefinition> = D["type"] extends PerCpuMapType
  ? readonly Infer<D["value"]>[]
  : Infer<D["value"]>;

/** The stores of the kinds that have keys and values. */
const stores: Readonly<Partial<Record<Simulated, new (shape: StoreShape) => Store>>> = {
  hash: HashStore,
  "lru-hash": LruHashStore,
  array: ArrayStore,
  "lpm-trie": LpmTrieStore,
};

type Simulated = NonNullable<MapKind["simulated"]>;

/**
 * A simulated map of keys and values: hash, array, LRU, per-CPU or LPM trie. Its user-space API equals that of
 * the loader's `TypedMap`.
 *
 * @example
 * ```ts
 * import { hash, u32, u64 } from "tsbpf";
 * import { World } from "tsbpf/sim";
 *
 * const hits = hash("hits", { key: u32, value: u64, maxEntries: 16 });
 * const map = new World().map(hits);
 * map.set(1, 10n);
 * console.log(map.get(1)); // 10n
 * ```
 */
export class KeyedMap<K = unknown, V = unknown> {
  readonly definition: MapDefinition;
  /** The target of program pointers to this map. */
  readonly region: Region;
  readonly #store: Store;
  readonly #cpus: number;

  /** @throws {RangeError} for a map of another type */
  constructor(definition: MapDefinition, cpus: number) {
    const { name, type, key, value, maxEntries, flags, initialValue } = definition;
    const { simulated } = mapKind(type);
    const make = simulated && stores[simulated];
    if (make === undefined) throw new RangeError(`cannot simulate map ${name}: type ${type} has no keys and values`);
    this.definition = definition;
    this.region = new MapRegion(name, this);
    this.#cpus = isPerCpu(type) ? cpus : 1;
    const protection = (flags & MapFlag.RDONLY_PROG) !== 0 ? "read-only" : "read-write";
    this.#store = new make({
      name,
      keySize: key.size,
      valueSize: value.size,
      maxEntries,
      copies: this.#cpus,
      protection,
    });
    if (initialValue !== undefined) this.#store.update(new Uint8Array(key.size), [initialValue], UpdateFlag.ANY);
  }

  get name(): string {
    return this.definition.name;
  }

  /** The value of a key; undefined if the key is absent. */
  get(key: K): V | undefined {
    const element = this.#store.lookup(this.#encodeKey(key), false);
    return element === undefined ? undefined : this.#decode(element);
  }

  has(key: K): boolean {
    return this.#store.lookup(this.#encodeKey(key), false) !== undefined;
  }

  /**
   * Writes an element.
   * @throws {SimulatedMapError} with `errno`: EEXIST or ENOENT according to `flag`; E2BIG or ENOSPC if the map
   * is full
   * @throws {SchemaError} for a key or value that does not fit its schema
   */
  set(key: K, value: V, flag: UpdateFlag = UpdateFlag.ANY): void {
    const values = isPerCpu(this.definition.type) ? (value as readonly unknown[]) : [value];
    if (values.length !== this.#cpus) {
      throw new RangeError(
        `cannot write a per-CPU value of ${values.length} parts to map ${this.name}: ` +
          `the simulated kernel has ${this.#cpus} CPUs`,
      );
    }
    const error = this.#store.update(
      this.#encodeKey(key),
      values.map((each) => encodeValue(this.definition.value, each)),
      flag,
    );
    if (error !== 0) throw new SimulatedMapError("update", this.name, -error);
  }

  /** Writes many elements, creating or replacing each. Throws like `set`. */
  setMany(entries: Iterable<readonly [K, V]>): void {
    for (const [key, value] of entries) this.set(key, value);
  }

  /** Removes an element; false if it was absent. @throws {SimulatedMapError} EINVAL for an array */
  delete(key: K): boolean {
    const error = this.#store.delete(this.#encodeKey(key));
    if (error === -2) return false;
    if (error !== 0) throw new SimulatedMapError("delete", this.name, -error);
    return true;
  }

  *entries(): Generator<[K, V], void, undefined> {
    for (const element of [...this.#store.elements()]) {
      yield [decodeValue(this.definition.key as Schema<K>, element.key), this.#decode(element)];
    }
  }

  [Symbol.iterator](): Generator<[K, V], void, undefined> {
    return this.entries();
  }

  *keys(): Generator<K, void, undefined> {
    for (const [key] of this.entries()) yield key;
  }

  /** The number of elements; for an array, its size. */
  count(): number {
    let count = 0;
    for (const _ of this.#store.elements()) count++;
    return count;
  }

  /** For helpers: the memory of a key's value, on one CPU. */
  valueOf(key: Uint8Array, cpu: number): Region | undefined {
    return this.#store.lookup(key, true)?.values[this.#cpus === 1 ? 0 : cpu];
  }

  /** For helpers: writes one CPU's value; returns 0 or a negative error number. */
  update(key: Uint8Array, value: Uint8Array, flags: number, cpu: number): number {
    const values = new Array<Uint8Array | undefined>(this.#cpus).fill(undefined);
    values[this.#cpus === 1 ? 0 : cpu] = value;
    return this.#store.update(key, values, flags);
  }

  /** For helpers: removes a key; returns 0 or a negative error number. */
  remove(key: Uint8Array): number {
    return this.#store.delete(key);
  }

  /** For helpers: every key with one CPU's value. */
  elements(cpu: number): { key: Uint8Array; value: Region }[] {
    return [...this.#store.elements()].map(({ key, values }) => ({ key, value: values[this.#cpus === 1 ? 0 : cpu]! }));
  }

  #encodeKey(key: K): Uint8Array {
    return encodeValue(this.definition.key as Schema<K>, key);
  }

  #decode({ values }: Element): V {
    const decoded = values.map(({ bytes }) => decodeValue(this.definition.value, bytes));
    return (isPerCpu(this.definition.type) ? decoded : decoded[0]) as V;
  }
}
