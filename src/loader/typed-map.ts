import {
  BpfError,
  Errno,
  isPerCpu,
  linux,
  possibleCpus,
  type BatchCursor,
  type Fd,
  type Kernel,
  type MapElements,
} from "../kernel/index.ts";
import { MapType, UpdateFlag, type Infer, type MapDefinition, type Schema } from "../types/index.ts";

type PerCpuType = typeof MapType.PERCPU_HASH | typeof MapType.PERCPU_ARRAY | typeof MapType.LRU_PERCPU_HASH;

/** What the keys of a map are in TypeScript. */
export type MapKey<D extends MapDefinition> = Infer<D["key"]>;

/** What its values are: for a per-CPU map an array with one for each possible CPU. */
export type MapValue<D extends MapDefinition> = D["type"] extends PerCpuType
  ? readonly Infer<D["value"]>[]
  : Infer<D["value"]>;

/** The handle that belongs to a map's declaration. */
export type MapHandle<D extends MapDefinition> = TypedMap<MapKey<D>, MapValue<D>>;

/**
 * Opens a map by its declaration. The handle owns the descriptor.
 * @throws {BpfError} where there is no such map any more
 */
export function openMap<D extends MapDefinition>(definition: D, fd: Fd, kernel: Kernel = linux): MapHandle<D> {
  return new TypedMap(definition, fd, kernel) as unknown as MapHandle<D>;
}

/**
 * A map in user space: keys and values are plain objects in the form that the
 * declaration's schemas give them. What is asked for in bulk goes to the kernel
 * in batches where it has them. A key or value that does not fit its schema is
 * a `SchemaError`, before anything is written.
 *
 * Buffers are made once and used by every call.
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

  /** What the map was created with, which may differ from the declaration. */
  get maxEntries(): number {
    return this.#maxEntries;
  }

  /** The value of a key; undefined where there is none. @throws {BpfError} */
  get(key: K): V | undefined {
    this.#key.write(this.#keyView, 0, key);
    return this.#elements.lookup() ? this.#value.read(this.#valueView, 0) : undefined;
  }

  /** @throws {BpfError} */
  has(key: K): boolean {
    this.#key.write(this.#keyView, 0, key);
    return this.#elements.lookup();
  }

  /**
   * Writes an element.
   * @throws {BpfError} with `errno`: EEXIST or ENOENT as `flag` demands, E2BIG or ENOSPC where the map is full
   */
  set(key: K, value: V, flag: UpdateFlag = UpdateFlag.ANY): void {
    this.#key.write(this.#keyView, 0, key);
    this.#value.write(this.#valueView, 0, value);
    this.#elements.update(flag);
  }

  /** Removes an element; whether it was there. @throws {BpfError} arrays have no absent elements: EINVAL */
  delete(key: K): boolean {
    this.#key.write(this.#keyView, 0, key);
    return this.#elements.delete();
  }

  /** Reads and removes in one step (hash maps from Linux 5.14 on). @throws {BpfError} */
  take(key: K): V | undefined {
    this.#key.write(this.#keyView, 0, key);
    return this.#elements.lookupAndDelete() ? this.#value.read(this.#valueView, 0) : undefined;
  }

  /**
   * Every element. The map may change meanwhile, by this program too: an
   * element that is there all the time comes exactly once, others may or may
   * not come.
   * @throws {BpfError}
   */
  *entries(): Generator<[K, V], void, undefined> {
    const cursor: BatchCursor = {};
    for (let finished = false; !finished; ) {
      const batch = this.#elements.lookupBatch(cursor);
      if (batch.errno === Errno.ENOTSUPP || batch.errno === Errno.EINTR) {
        // No batches for this map; EINTR: elements went faster than the kernel could follow its keys.
        yield* this.#entriesOneByOne();
        return;
      }
      if (batch.errno !== 0) throw this.#error("BPF_MAP_LOOKUP_BATCH", batch.errno);
      finished = batch.finished;
      // Decoded before the first is given away: who takes it may use the buffers.
      yield* this.#decodeBatch(batch.done);
    }
  }

  [Symbol.iterator](): Generator<[K, V], void, undefined> {
    return this.entries();
  }

  /** Every key, as with `entries`. @throws {BpfError} */
  *keys(): Generator<K, void, undefined> {
    for (const [key] of this.entries()) yield key;
  }

  /** Elements at this moment; an array always has all of them. Walks through the map. @throws {BpfError} */
  count(): number {
    if (this.definition.type === MapType.ARRAY || this.definition.type === MapType.PERCPU_ARRAY)
      return this.#maxEntries;
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
   * @throws {BpfError} where the map is full, say; the elements before that one were written
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

  /** The values of many keys, in their order; undefined for those that are absent. @throws {BpfError} */
  getMany(keys: Iterable<K>): (V | undefined)[] {
    // The kernel's batches walk through a map; there is none for given keys.
    return Array.from(keys, (key) => this.get(key));
  }

  /** An array's values from an index on, in batches where the kernel has them. @throws {BpfError} */
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

  /** Removes many keys; how many were there. @throws {BpfError} */
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
        // An absent key stops the batch: go on behind it.
        return errno === Errno.ENOENT ? done + 1 : done;
      },
      single: () => {
        if (this.#elements.delete()) removed++;
      },
    });
    return removed;
  }

  /** Closes the descriptor; the map stays where it is pinned or in use. */
  close(): void {
    this.fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Hands over elements batch by batch, or one by one where the kernel has no batches for this map. */
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
      // Gone meanwhile.
      if (!this.#elements.lookup()) continue;
      yield [this.#key.read(this.#keyView, 0), this.#value.read(this.#valueView, 0)];
    }
  }

  /** Keys by walking from one to the next; a key that goes meanwhile sends a hash map's walk back to its beginning. */
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

/** The part of a schema that reading and writing elements takes. */
type Codec<T> = Pick<Schema<T>, "read" | "write">;

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The values of all CPUs, each in a multiple of 8 bytes, as the system call takes and gives them. */
function perCpu(schema: Schema, stride: number): Codec<readonly unknown[]> {
  const cpus = possibleCpus();
  const each = stride / cpus;
  return {
    read: (view, offset) => Array.from({ length: cpus }, (_, cpu) => schema.read(view, offset + cpu * each)),
    write(view, offset, values) {
      if (values.length !== cpus)
        throw new RangeError(`a per-CPU value has one part for each of ${cpus} possible CPUs, not ${values.length}`);
      values.forEach((value, cpu) => schema.write(view, offset + cpu * each, value));
    },
  };
}
