/**
 * The elements of one map, as bytes. The buffers for a key, a value and the
 * system call's arguments are made once and reused by every call: what a call
 * costs is the system call.
 */
import { MapType } from "../types/bpf.ts";
import { tryBpf, type BpfCommand } from "./bpf.ts";
import { mapBatchAttr, mapElementAttr } from "./bpf-attr.ts";
import { BpfError } from "./bpf-error.ts";
import { possibleCpus } from "./cpus.ts";
import { Errno } from "./errno.ts";
import type { Fd } from "./fd.ts";
import { addressOf } from "./ffi.ts";

export interface MapShape {
  /** What an error calls the map. */
  readonly name: string;
  readonly type: MapType;
  /** Bytes. */
  readonly keySize: number;
  /** Bytes; of one CPU's value, for a map that has one for each. */
  readonly valueSize: number;
  readonly maxEntries: number;
}

/** How far a walk in batches has come. */
export interface BatchCursor {
  /** Where the next batch begins, in the kernel's own terms; absent at the start. */
  position?: Buffer;
}

export interface MapElements {
  /** Bytes that the map's file operations take for a value: every CPU's, each rounded up to 8, for a per-CPU map. */
  readonly valueStride: number;
  /** The key that the next call is about; `keySize` bytes. */
  readonly key: Buffer;
  /** The value that the next call writes, or the last one read; `valueStride` bytes. */
  readonly value: Buffer;
  /** Whether the kernel has batch operations for this map; known after the first one was tried. */
  readonly batches: boolean;
  /** Elements that `batchKeys` and `batchValues` have room for. */
  readonly batchSize: number;
  readonly batchKeys: Buffer;
  readonly batchValues: Buffer;

  /** Reads `key`'s value into `value` (`BPF_MAP_LOOKUP_ELEM`); false where there is none. */
  lookup(): boolean;
  /** Writes `value` under `key` (`BPF_MAP_UPDATE_ELEM`) with an `UpdateFlag`. @throws {BpfError} */
  update(flags: number): void;
  /** Removes `key` (`BPF_MAP_DELETE_ELEM`); false where it was absent. @throws {BpfError} */
  delete(): boolean;
  /** Reads and removes in one step (`BPF_MAP_LOOKUP_AND_DELETE_ELEM`; hash maps from Linux 5.14); false where it was absent. @throws {BpfError} */
  lookupAndDelete(): boolean;
  /**
   * Puts the map's first key, or the one behind `key`, into `key`
   * (`BPF_MAP_GET_NEXT_KEY`); false at the end. In a hash map, the one behind a
   * key that is gone is the first.
   */
  nextKey(first: boolean): boolean;
  /**
   * Writes the first `count` elements of the batch buffers.
   * @returns how many were written: fewer where the kernel has no batches
   * @throws {BpfError} some of them may have been written; how many is `done`
   */
  updateBatch(count: number): BatchResult;
  /** Removes the keys that are first in `batchKeys`, up to one that is absent. */
  deleteBatch(count: number): BatchResult;
  /** Reads elements into the batch buffers. Needs no more calls once `finished`. */
  lookupBatch(cursor: BatchCursor): BatchResult & { readonly finished: boolean };
  /** Reads `count` elements of an array, at most `batchSize`, from an index on. */
  lookupRange(first: number, count: number): BatchResult;
}

export interface BatchResult {
  /** Elements that were dealt with, from the front. */
  readonly done: number;
  /** Why not more; 0 where all were. `Errno.ENOTSUPP` where there are no batches at all. */
  readonly errno: number;
}

const PER_CPU: ReadonlySet<number> = new Set<number>([
  MapType.PERCPU_HASH,
  MapType.PERCPU_ARRAY,
  MapType.LRU_PERCPU_HASH,
  MapType.PERCPU_CGROUP_STORAGE,
]);

/** Whether a map of this type has a value for each CPU. */
export function isPerCpu(type: MapType): boolean {
  return PER_CPU.has(type);
}

/** Bytes that the batch buffers may take together, unless the map is smaller or a hash bucket larger. */
const BATCH_BYTES = 256 * 1024;
const MAX_BATCH = 4096;

/** Opens a map's elements. The descriptor stays the caller's, and must stay open. */
export function mapElements(fd: Fd, shape: MapShape): MapElements {
  return new KernelMapElements(fd, shape);
}

class KernelMapElements implements MapElements {
  readonly valueStride: number;
  readonly key: Buffer;
  readonly value: Buffer;
  readonly #name: string;
  readonly #keySize: number;
  readonly #attr;
  /** The kernel refuses a deletion that names a value. */
  readonly #deleteAttr;
  readonly #next: Buffer;
  readonly #flags: BigUint64Array;
  readonly #keyAddress: bigint;
  readonly #valueAddress: bigint;
  readonly #fd: Fd;
  #batch:
    | { readonly attr: ReturnType<typeof mapBatchAttr.create>; readonly keys: Buffer; readonly values: Buffer }
    | undefined;
  #batchSize: number;
  #batches = true;

  constructor(fd: Fd, { name, type, keySize, valueSize, maxEntries }: MapShape) {
    this.#fd = fd;
    this.#name = `map ${name}`;
    this.#keySize = keySize;
    this.valueStride = isPerCpu(type) ? Math.ceil(valueSize / 8) * 8 * possibleCpus() : valueSize;
    this.key = Buffer.alloc(Math.max(keySize, 1)).subarray(0, keySize);
    this.value = Buffer.alloc(Math.max(this.valueStride, 1)).subarray(0, this.valueStride);
    this.#next = Buffer.alloc(Math.max(keySize, 1));
    this.#keyAddress = addressOf(this.key);
    this.#valueAddress = addressOf(this.value);
    this.#attr = mapElementAttr.create({ map_fd: fd.number, key: this.#keyAddress, value: this.#valueAddress });
    this.#deleteAttr = mapElementAttr.create({ map_fd: fd.number, key: this.#keyAddress });
    const { memory } = this.#attr;
    this.#flags = new BigUint64Array(memory.buffer, memory.byteOffset + mapElementAttr.offsets.flags, 1);
    const affordable = Math.floor(BATCH_BYTES / Math.max(keySize + this.valueStride, 1));
    this.#batchSize = Math.max(1, Math.min(affordable, MAX_BATCH, Math.max(maxEntries, 1)));
  }

  get batches(): boolean {
    return this.#batches;
  }

  get batchSize(): number {
    return this.#batchSize;
  }

  get batchKeys(): Buffer {
    return this.#batchBuffers().keys;
  }

  get batchValues(): Buffer {
    return this.#batchBuffers().values;
  }

  lookup(): boolean {
    return this.#element("BPF_MAP_LOOKUP_ELEM", 0n) !== Errno.ENOENT;
  }

  update(flags: number): void {
    const errno = this.#element("BPF_MAP_UPDATE_ELEM", BigInt(flags));
    if (errno !== 0) throw new BpfError("BPF_MAP_UPDATE_ELEM", this.#name, errno);
  }

  delete(): boolean {
    return this.#element("BPF_MAP_DELETE_ELEM", 0n) !== Errno.ENOENT;
  }

  lookupAndDelete(): boolean {
    return this.#element("BPF_MAP_LOOKUP_AND_DELETE_ELEM", 0n) !== Errno.ENOENT;
  }

  nextKey(first: boolean): boolean {
    this.#attr.key = first ? 0n : this.#keyAddress;
    this.#attr.value = addressOf(this.#next);
    try {
      if (this.#element("BPF_MAP_GET_NEXT_KEY", 0n) === Errno.ENOENT) return false;
      this.#next.copy(this.key);
      return true;
    } finally {
      this.#attr.key = this.#keyAddress;
      this.#attr.value = this.#valueAddress;
    }
  }

  updateBatch(count: number): BatchResult {
    return this.#runBatch("BPF_MAP_UPDATE_BATCH", count);
  }

  deleteBatch(count: number): BatchResult {
    return this.#runBatch("BPF_MAP_DELETE_BATCH", count);
  }

  lookupBatch(cursor: BatchCursor): BatchResult & { readonly finished: boolean } {
    for (;;) {
      // A hash map's position is a bucket number of 4 bytes, other maps' a key.
      const next = Buffer.alloc(Math.max(this.#keySize, 4));
      const { attr } = this.#batchBuffers();
      attr.in_batch = cursor.position ? addressOf(cursor.position) : 0n;
      attr.out_batch = addressOf(next);
      const { done, errno } = this.#runBatch("BPF_MAP_LOOKUP_BATCH", this.#batchSize, [cursor.position, next]);
      if (errno === 0 || errno === Errno.ENOENT) {
        cursor.position = next;
        return { done, errno: 0, finished: errno !== 0 };
      }
      // A hash bucket has more elements than the buffers hold.
      if (errno !== Errno.ENOSPC) return { done, errno, finished: false };
      this.#batchSize *= 2;
      this.#batch = undefined;
    }
  }

  lookupRange(first: number, count: number): BatchResult {
    const position = Buffer.alloc(8);
    // A batch begins behind the key that it is given.
    position.writeUInt32LE(Math.max(first - 1, 0));
    const { attr } = this.#batchBuffers();
    attr.in_batch = first === 0 ? 0n : addressOf(position);
    attr.out_batch = addressOf(position) + 4n;
    const { done, errno } = this.#runBatch("BPF_MAP_LOOKUP_BATCH", count, [position]);
    return { done, errno: errno === Errno.ENOENT ? 0 : errno };
  }

  /** The error number, which is 0 or ENOENT, or that of an update. */
  #element(command: BpfCommand, flags: bigint): number {
    this.#flags[0] = flags;
    // Throws where the map was closed: its number could stand for another one by now.
    void this.#fd.number;
    const { errno } = tryBpf(command, command === "BPF_MAP_DELETE_ELEM" ? this.#deleteAttr : this.#attr);
    if (errno !== 0 && errno !== Errno.ENOENT && command !== "BPF_MAP_UPDATE_ELEM")
      throw new BpfError(command, this.#name, errno);
    return errno;
  }

  #batchBuffers() {
    if (this.#batch === undefined) {
      const keys = Buffer.alloc(this.#batchSize * this.#keySize);
      const values = Buffer.alloc(this.#batchSize * this.valueStride);
      const attr = mapBatchAttr.create({ keys: addressOf(keys), values: addressOf(values), map_fd: this.#fd.number });
      this.#batch = { attr, keys, values };
    }
    return this.#batch;
  }

  #runBatch(command: BpfCommand, count: number, referenced: readonly (Buffer | undefined)[] = []): BatchResult {
    const { attr, keys, values } = this.#batchBuffers();
    if (!this.#batches) return { done: 0, errno: Errno.ENOTSUPP };
    attr.count = count;
    attr.map_fd = this.#fd.number;
    const { errno } = tryBpf(command, attr, [keys, values, ...referenced]);
    // Before Linux 5.6 the command itself is unknown (EINVAL); later ones know it, but not for every type.
    // Where the arguments are refused before anything is done, the kernel leaves `count` as it was.
    if (errno === Errno.ENOTSUPP || (errno === Errno.EINVAL && attr.count === count)) {
      this.#batches = false;
      return { done: 0, errno: Errno.ENOTSUPP };
    }
    if (errno === Errno.EFAULT || errno === Errno.EPERM || errno === Errno.EBADF)
      throw new BpfError(command, this.#name, errno);
    return {
      done: errno === 0 ? (command === "BPF_MAP_LOOKUP_BATCH" ? attr.count : count) : Math.min(attr.count, count),
      errno,
    };
  }
}
