import {
  BpfError,
  Errno,
  linux,
  possibleCpus,
  type BatchCursor,
  type Fd,
  type Kernel,
  type MapElements,
} from "../kernel/index.ts";
import {
  isPerCpu,
  mapKind,
  UpdateFlag,
  type Infer,
  type MapDefinition,
  type MapTypeOf,
  type PerCpuMapType,
  type Schema,
} from "../types/index.ts";

/** The TypeScript type of a map's keys. */
export type MapKey<D extends MapDefinition> = Infer<D["key"]>;

/** The TypeScript type of a map's values; for a per-CPU map, an array with one value per possible CPU. */
export type MapValue<D extends MapDefinition> = D["type"] extends PerCpuMapType
  ? readonly Infer<D["value"]>[]
  : Infer<D["value"]>;

/**
 * The handle for a map's declaration, with the operations that its kind has: nothing can be deleted from an array,
 * and a ring buffer has records (`readRingBuffer`) in place of elements.
 */
export type MapHandle<D extends MapDefinition> =
  D["type"] extends MapTypeOf<"records">
    ? Pick<TypedMap<undefined, never>, "definition" | "fd" | "name" | "maxEntries" | "close" | typeof Symbol.dispose>
    : D["type"] extends MapTypeOf<"indexed">
      ? Omit<TypedMap<MapKey<D>, MapValue<D>>, "delete" | "deleteMany" | "take">
      : TypedMap<MapKey<D>, MapValue<D>>;

/**
 * Opens a map by its declaration. The handle owns the descriptor.
 * @throws {BpfError} if the map cannot be read
 * @example
 * ```ts
 * import { array, openMap, u64 } from "tsbpf";
 * import { openPinned } from "tsbpf/kernel";
 *
 * const calls = array("calls", { value: u64, maxEntries: 1 });
 * using map = openMap(calls, openPinned("/sys/fs/bpf/calls"));
 * console.log(map.get(0));
 * ```
 */
export function openMap<D extends MapDefinition>(definition: D, fd: Fd, kernel: Kernel = linux): MapHandle<D> {
  return new TypedMap(definition, fd, kernel) as unknown as MapHandle<D>;
}

/**
 * A map in user space. Keys and values are plain objects in the form that the declaration's schemas give them.
 * Bulk operations use the kernel's batches where it has them. A key or value that does not fit its schema
 * throws a `SchemaError` before anything is written.
 *
 * All calls share the same buffers.
 *
 * @example
 * ```ts
 * import { hash, ipv4, load, u64 } from "tsbpf";
 *
 * const hits = hash("hits", { key: ipv4, value: u64, maxEntries: 1000 });
 * using loaded = load([], { maps: [hits] });
 * const map = loaded.map(hits);
 * map.set("192.0.2.1", 1n);
 * for (const [address, count] of map) console.log(address, count);
 * ```
 */
export class TypedMap<K, V> {
  readonly definition: MapDefinition;
  readonly fd: Fd;
  readonly #elements: MapElements;
  readonly #key: Codec<K>;
  readonly #value: Codec<V>;
  readonly #keyView: DataView;
  readonly #valueView: DataView;
  readonly #maxEntries: number;

  constructor(definition: MapDefinition, fd: Fd, kernel: Kernel) {
    this.definition = definition;
    this.fd = fd;
    this.#maxEntries = kernel.mapInfo(fd).maxEntries;
    this.#elements = kernel.mapElements(fd, {
      name: definition.name,
      type: definition.type,
      keySize: definition.key.size,
      valueSize: definition.value.size,
      maxEntries: this.#maxEntries,
    });
    this.#key = definition.key as Schema<K>;
    this.#value = (
      isPerCpu(definition.type) ? perCpu(definition.value, this.#elements.valueStride) : definition.value
    ) as Codec<V>;
    this.#keyView = viewOf(this.#elements.key);
    this.#valueView = viewOf(this.#elements.value);
  }

  get name(): string {
    return this.definition.name;
  }

  /** The number of elements the map was created with; may differ from the declaration. */
  get maxEntries(): number {
    return this.#maxEntries;
  }

  /** The value of a key; undefined if the key is absent. @throws {BpfError} */
  get(key: K): V | undefined {
    this.#key.write(this.#keyView, 0, key);
    return this.#elements.lookup() ? this.#value.read(this.#valueView, 0) : undefined;
  }

  /** Whether the key is present. @throws {BpfError} */
  has(key: K): boolean {
    this.#key.write(this.#keyView, 0, key);
    return this.#elements.lookup();
  }

  /**
   * Writes an element.
   * @throws {BpfError} with `errno`: EEXIST or ENOENT according to `flag`; E2BIG or ENOSPC if the map is full
   */
  set(key: K, value: V, flag: UpdateFlag = UpdateFlag.ANY): void {
    this.#key.write(this.#keyView, 0, key);
    this.#value.write(this.#valueView, 0, value);
    this.#elements.update(flag);
  }

  /** Removes an element; false if it was absent. @throws {BpfError} EINVAL for an array */
  delete(key: K): boolean {
    this.#key.write(this.#keyView, 0, key);
    return this.#elements.delete();
  }

  /** Reads and removes an element in one step (hash maps from Linux 5.14). @throws {BpfError} */
  take(key: K): V | undefined {
    this.#key.write(this.#keyView, 0, key);
    return this.#elements.lookupAndDelete() ? this.#value.read(this.#valueView, 0) : undefined;
  }

  /**
   * Every element. The map may change during the walk, by this program too: an element present throughout
   * appears exactly once; others may appear or not.
   * @throws {BpfError}
   */
  *entries(): Generator<[K, V], void, undefined> {
    const cursor: BatchCursor = {};
    for (let finished = false; !finished; ) {
      const batch = this.#elements.lookupBatch(cursor);
      if (batch.errno === Errno.ENOTSUPP || batch.errno === Errno.EINTR) {
        // This map has no batches, or (EINTR) elements were deleted faster than the kernel could follow.
        yield* this.#entriesOneByOne();
        return;
      }
      if (batch.errno !== 0) throw this.#error("BPF_MAP_LOOKUP_BATCH", batch.errno);
      finished = batch.finished;
      // Decode before yielding, since the consumer may use the same buffers.
      yield* this.#decodeBatch(batch.done);
    }
  }

  [Symbol.iterator](): Generator<[K, V], void, undefined> {
    return this.entries();
  }

  /** Every key, like `entries`. @throws {BpfError} */
  *keys(): Generator<K, void, undefined> {
    for (const [key] of this.entries()) yield key;
  }

  /** The number of elements; for an array, its size. Walks through the map. @throws {BpfError} */
  count(): number {
    if (mapKind(this.definition.type).elements === "indexed") return this.#maxEntries;
    const cursor: BatchCursor = {};
    for (let count = 0; ; ) {
      const { done, errno, finished } = this.#elements.lookupBatch(cursor);
      if (errno === Errno.ENOTSUPP || errno === Errno.EINTR) return this.#allKeys().length;
      if (errno !== 0) throw this.#error("BPF_MAP_LOOKUP_BATCH", errno);
      count += done;
      if (finished) return count;
    }
  }

  /**
   * Writes many elements, creating or replacing each.
   * @throws {SchemaError} before anything is written
   * @throws {BpfError} for example if the map is full; the elements before the failing one are written
   */
  setMany(entries: Iterable<readonly [K, V]>): void {
    const all = Array.isArray(entries) ? (entries as readonly (readonly [K, V])[]) : [...entries];
    const { size } = this.definition.key;
    const stride = this.#elements.valueStride;
    const keys = Buffer.alloc(all.length * size);
    const values = Buffer.alloc(all.length * stride);
    const keyView = viewOf(keys);
    const valueView = viewOf(values);
    for (let i = 0; i < all.length; i++) {
      this.#key.write(keyView, i * size, all[i]![0]);
      this.#value.write(valueView, i * stride, all[i]![1]);
    }
    this.#inBatches(all.length, keys, values, {
      batch: (count) => {
        const { done, errno } = this.#elements.updateBatch(count);
        if (errno !== 0 && errno !== Errno.ENOTSUPP) throw this.#error("BPF_MAP_UPDATE_BATCH", errno);
        return done;
      },
      single: () => this.#elements.update(UpdateFlag.ANY),
    });
  }

  /** The values of many keys, in order; undefined for absent keys. @throws {BpfError} */
  getMany(keys: Iterable<K>): (V | undefined)[] {
    // The kernel's batches walk through a map; none takes keys.
    return Array.from(keys, (key) => this.get(key));
  }

  /** `count` values of an array, starting at index `first`. @throws {BpfError} ENOENT beyond the array's end */
  getRange(first: number, count: number): V[] {
    const values: V[] = [];
    const { valueStride } = this.#elements;
    while (values.length < count) {
      const next = first + values.length;
      if (this.#elements.batches) {
        const { done, errno } = this.#elements.lookupRange(
          next,
          Math.min(this.#elements.batchSize, count - values.length),
        );
        if (errno !== Errno.ENOTSUPP) {
          if (errno !== 0 || done === 0) throw this.#error("BPF_MAP_LOOKUP_BATCH", errno || Errno.ENOENT);
          const view = viewOf(this.#elements.batchValues);
          for (let i = 0; i < done; i++) values.push(this.#value.read(view, i * valueStride));
          continue;
        }
      }
      const value = this.get(next as K);
      if (value === undefined) throw this.#error("BPF_MAP_LOOKUP_ELEM", Errno.ENOENT);
      values.push(value);
    }
    return values;
  }

  /** Removes many keys; returns how many were present. @throws {BpfError} */
  deleteMany(keys: Iterable<K>): number {
    const all = Array.isArray(keys) ? (keys as readonly K[]) : [...keys];
    const { size } = this.definition.key;
    const bytes = Buffer.alloc(all.length * size);
    const view = viewOf(bytes);
    all.forEach((key, i) => this.#key.write(view, i * size, key));
    let removed = 0;
    this.#inBatches(all.length, bytes, undefined, {
      batch: (count) => {
        const { done, errno } = this.#elements.deleteBatch(count);
        if (errno !== 0 && errno !== Errno.ENOENT && errno !== Errno.ENOTSUPP)
          throw this.#error("BPF_MAP_DELETE_BATCH", errno);
        removed += done;
        // An absent key ends the batch: continue after it.
        return errno === Errno.ENOENT ? done + 1 : done;
      },
      single: () => {
        if (this.#elements.delete()) removed++;
      },
    });
    return removed;
  }

  /** Closes the descriptor. The map lives on while it is pinned or in use. */
  close(): void {
    this.fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Processes elements in batches, or one by one if the kernel has no batches for this map. */
  #inBatches(
    length: number,
    keys: Buffer,
    values: Buffer | undefined,
    step: { batch: (count: number) => number; single: () => void },
  ): void {
    const elements = this.#elements;
    const { size } = this.definition.key;
    const stride = elements.valueStride;
    for (let from = 0; from < length; ) {
      const count = Math.min(elements.batchSize, length - from);
      if (elements.batches && count > 1) {
        keys.copy(elements.batchKeys, 0, from * size, (from + count) * size);
        values?.copy(elements.batchValues, 0, from * stride, (from + count) * stride);
        from += step.batch(count);
      } else {
        keys.copy(elements.key, 0, from * size);
        values?.copy(elements.value, 0, from * stride);
        step.single();
        from++;
      }
    }
  }

  #decodeBatch(count: number): [K, V][] {
    const { batchKeys, batchValues, valueStride } = this.#elements;
    const keys = viewOf(batchKeys);
    const values = viewOf(batchValues);
    const { size } = this.definition.key;
    const entries: [K, V][] = [];
    for (let i = 0; i < count; i++)
      entries.push([this.#key.read(keys, i * size), this.#value.read(values, i * valueStride)]);
    return entries;
  }

  *#entriesOneByOne(): Generator<[K, V], void, undefined> {
    for (const key of this.#allKeys()) {
      key.copy(this.#elements.key);
      // Deleted meanwhile.
      if (!this.#elements.lookup()) continue;
      yield [this.#key.read(this.#keyView, 0), this.#value.read(this.#valueView, 0)];
    }
  }

  /** All keys, walking from one to the next. Deleting a key meanwhile restarts a hash map's walk. */
  #allKeys(): Buffer[] {
    const seen = new Map<string, Buffer>();
    const steps = 4 * this.#maxEntries + 1024;
    for (let step = 0; step < steps && this.#elements.nextKey(step === 0); step++) {
      const text = this.#elements.key.toString("latin1");
      if (!seen.has(text)) seen.set(text, Buffer.from(this.#elements.key));
    }
    return [...seen.values()];
  }

  #error(command: string, errno: number): BpfError {
    return new BpfError(command, `map ${this.name}`, errno);
  }
}

/** The part of a schema that reads and writes elements. */
type Codec<T> = Pick<Schema<T>, "read" | "write">;

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The values of all CPUs in the kernel's layout: each padded to a multiple of 8 bytes. */
function perCpu(schema: Schema, stride: number): Codec<readonly unknown[]> {
  const cpus = possibleCpus();
  const each = stride / cpus;
  return {
    read: (view, offset) => Array.from({ length: cpus }, (_, cpu) => schema.read(view, offset + cpu * each)),
    write(view, offset, values) {
      if (values.length !== cpus)
        throw new RangeError(
          `cannot write a per-CPU value of ${values.length} parts: this machine has ${cpus} possible CPUs`,
        );
      values.forEach((value, cpu) => schema.write(view, offset + cpu * each, value));
    },
  };
}
