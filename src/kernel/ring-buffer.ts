/**
 * The user-space side of a ring buffer (BPF_MAP_TYPE_RINGBUF, Documentation/bpf/ringbuf.rst): memory shared
 * with the kernel, which programs write and this side reads.
 */
import { BpfError } from "./bpf-error.ts";
import type { Fd } from "./fd.ts";
import { memoryAt, syscall } from "./ffi.ts";
import { pageSize } from "./page-size.ts";
import { syscallNumbers } from "./syscall-numbers.ts";

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;

/** A record's header: its length with two flags in the high bits, and an offset for internal use by the kernel. */
const HEADER_SIZE = 8;
/** `BPF_RINGBUF_BUSY_BIT`: reserved, not yet submitted. */
const BUSY = 0x8000_0000;
/** `BPF_RINGBUF_DISCARD_BIT`: to be skipped. */
const DISCARDED = 0x4000_0000;

export interface RingBuffer {
  /**
   * Passes every complete record to `take`, oldest first, and frees its space. `take` gets a copy.
   * @param limit the most records to read; all by default
   * @returns the number of records read
   */
  read(take: (record: Buffer) => void, limit?: number): number;
  /** Unmaps the shared memory; the caller still owns the descriptor. */
  close(): void;
}

/**
 * Maps a ring buffer into this process.
 * @param size the map's `maxEntries`, in bytes
 * @throws {BpfError} if the descriptor is not a ring buffer of this size
 */
export function openRingBuffer(map: Fd, size: number): RingBuffer {
  const page = pageSize();
  const { mmap, munmap } = syscallNumbers();
  const mapMemory = (length: number, protection: number, offset: number) => {
    const { result, errno } = syscall(mmap, 0, length, protection, MAP_SHARED, map.number, offset);
    if (errno !== 0) throw new BpfError("mmap", `ring buffer (descriptor ${map.number})`, errno, { hint: undefined });
    return { address: result, length };
  };
  const unmap = ({ address, length }: { address: number; length: number }) => syscall(munmap, address, length);

  // First a page that this side writes: the consumer position. Then a page that the kernel writes: the producer
  // position. Then the data, mapped twice in a row, so that a record that wraps around is contiguous.
  const ours = mapMemory(page, PROT_READ | PROT_WRITE, 0);
  let theirs: { address: number; length: number };
  try {
    theirs = mapMemory(page + 2 * size, PROT_READ, page);
  } catch (error) {
    unmap(ours);
    throw error;
  }
  const words = (at: number) => {
    const memory = memoryAt(BigInt(at), 8);
    return new BigUint64Array(memory.buffer, memory.byteOffset, 1);
  };
  const consumed = words(ours.address);
  const produced = words(theirs.address);
  const data = memoryAt(BigInt(theirs.address + page), 2 * size);
  const headers = new Uint32Array(data.buffer, data.byteOffset, data.byteLength / 4);
  const mask = BigInt(size - 1);
  let open = true;

  return {
    read(take, limit = Infinity) {
      if (!open) throw new Error("cannot read the ring buffer: it was closed");
      let count = 0;
      let position = consumed[0]!;
      while (count < limit && position < Atomics.load(produced, 0)) {
        const at = Number(position & mask);
        const header = Atomics.load(headers, at / 4);
        if ((header & BUSY) !== 0) break;
        const length = header & ~(BUSY | DISCARDED);
        const record =
          (header & DISCARDED) === 0
            ? Buffer.from(data.subarray(at + HEADER_SIZE, at + HEADER_SIZE + length))
            : undefined;
        position += BigInt((length + HEADER_SIZE + 7) & ~7);
        Atomics.store(consumed, 0, position);
        if (record === undefined) continue;
        count++;
        take(record);
        // `take` may have closed the buffer.
        if (!open) break;
      }
      return count;
    },
    close() {
      if (!open) return;
      open = false;
      unmap(ours);
      unmap(theirs);
    },
  };
}
