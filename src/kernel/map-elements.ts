/**
 * The elements of one map, as bytes. All calls reuse the same buffers for key, value and system call arguments,
 * so a call costs little more than the system call.
 */
import { isPerCpu, type MapType } from "../types/index.ts";
import { tryBpf, type BpfCommand } from "./bpf.ts";
import { mapBatchAttr, mapElementAttr } from "./bpf-attr.ts";
import { BpfError } from "./bpf-error.ts";
import { possibleCpus } from "./cpus.ts";
import { Errno } from "./errno.ts";
import type { Fd } from "./fd.ts";
import { addressOf } from "./ffi.ts";

export interface MapShape {
  /** Names the map in errors. */
  readonly name: string;
  readonly type: MapType;
  /** Bytes. */
  readonly keySize: number;
  /** Bytes; for a per-CPU map, of one CPU's value. */
  readonly valueSize: number;
  readonly maxEntries: number;
}

/** The position of a walk in batches. */
export interface BatchCursor {
  /** The start of the next batch, in the kernel's own encoding; absent at the beginning. */
  position?: Buffer;
}

export interface MapElements {
  /** Bytes of a value in the map's file operations. For a per-CPU map: every CPU's value, each rounded up to 8. */
  readonly valueStride: number;
  /** The key of the next call; `keySize` bytes. */
  readonly key: Buffer;
  /** The value to write, or the last one read; `valueStride` bytes. */
  readonly value: Buffer;
  /** Whether the kernel has batch operations for this map; known after the first attempt. */
  readonly batches: boolean;
  /** Capacity of `batchKeys` and `batchValues`, in elements. */
  readonly batchSize: number;
  readonly batchKeys: Buffer;
  readonly batchValues: Buffer;

  /**
   * Reads the value of `key` into `value` (`BPF_MAP_LOOKUP_ELEM`); false if the key is absent.
   * @throws {BpfError}
   */
  lookup(): boolean;
  /** Writes `value` under `key` (`BPF_MAP_UPDATE_ELEM`) with an `UpdateFlag`. @throws {BpfError} */
  update(flags: number): void;
  /**
   * Removes `key` (`BPF_MAP_DELETE_ELEM`); false if it was absent.
   * @throws {BpfError}
   */
  delete(): boolean;
  /**
   * Reads and removes in one step (`BPF_MAP_LOOKUP_AND_DELETE_ELEM`; hash maps from Linux 5.14); false if
   * absent.
   * @throws {BpfError}
   */
  lookupAndDelete(): boolean;
  /**
   * Puts the map's first key, or the one after `key`, into `key` (`BPF_MAP_GET_NEXT_KEY`); false at the end. In
   * a hash map, the key after a deleted key is the first key.
   */
  nextKey(first: boolean): boolean;
  /**
   * Writes the first `count` elements of the batch buffers.
   * @throws {BpfError} EFAULT, EPERM or EBADF; other errors are in the result
   */
  updateBatch(count: number): BatchResult;
  /** Removes the first `count` keys of `batchKeys`, stopping at one that is absent. */
  deleteBatch(count: number): BatchResult;
  /** Reads elements into the batch buffers. The walk is complete once `finished`. */
  lookupBatch(cursor: BatchCursor): BatchResult & { readonly finished: boolean };
  /** Reads `count` elements of an array, at most `batchSize`, starting at an index. */
  lookupRange(first: number, count: number): BatchResult;
}

export interface BatchResult {
  /** Elements processed, from the front. */
  readonly done: number;
  /** Why the rest was not processed; 0 if all were. `Errno.ENOTSUPP` if the map has no batch operations. */
  readonly errno: number;
}

/** Total bytes of the batch buffers, unless the map is smaller or a hash bucket is larger. */
const BATCH_BYTES = 256 * 1024;
const MAX_BATCH = 4096;

/** Opens a map's elements. The caller keeps the descriptor, and keeps it open while the elements are used. */
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
  /** Without a value: the kernel refuses a deletion that has one. */
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
      // The position is a 4-byte bucket number for a hash map, a key for other maps.
      const next = Buffer.alloc(Math.max(this.#keySize, 4));
      const { attr } = this.#batchBuffers();
      attr.in_batch = cursor.position ? addressOf(cursor.position) : 0n;
      attr.out_batch = addressOf(next);
      const { done, errno } = this.#runBatch("BPF_MAP_LOOKUP_BATCH", this.#batchSize, [cursor.position, next]);
      if (errno === 0 || errno === Errno.ENOENT) {
        cursor.position = next;
        return { done, errno: 0, finished: errno !== 0 };
      }
      // A hash bucket has more elements than the buffers can hold.
      if (errno !== Errno.ENOSPC) return { done, errno, finished: false };
      this.#batchSize *= 2;
      this.#batch = undefined;
    }
  }

  lookupRange(first: number, count: number): BatchResult {
    const position = Buffer.alloc(8);
    // A batch begins after the given key.
    position.writeUInt32LE(Math.max(first - 1, 0));
    const { attr } = this.#batchBuffers();
    attr.in_batch = first === 0 ? 0n : addressOf(position);
    attr.out_batch = addressOf(position) + 4n;
    const { done, errno } = this.#runBatch("BPF_MAP_LOOKUP_BATCH", count, [position]);
    return { done, errno: errno === Errno.ENOENT ? 0 : errno };
  }

  /** The error number: 0 or ENOENT, or any error of an update. */
  #element(command: BpfCommand, flags: bigint): number {
    this.#flags[0] = flags;
    // Throws if the map was closed, since its number could name another file by then.
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
    // Before Linux 5.6 the command itself is unknown (EINVAL); later kernels lack it for some map types.
    // If the kernel refuses the arguments up front, it leaves `count` unchanged.
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
