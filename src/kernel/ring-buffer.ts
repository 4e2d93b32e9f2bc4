/**
 * The user-space end of a ring buffer (BPF_MAP_TYPE_RINGBUF; Documentation/bpf/
 * ringbuf.rst in the kernel): memory that the kernel shares, which one side
 * fills and the other empties.
 */
import { BpfError } from "./bpf-error.ts";
import type { Fd } from "./fd.ts";
import { memoryAt, syscall } from "./ffi.ts";
import { pageSize } from "./page-size.ts";
import { syscallNumbers } from "./syscall-numbers.ts";

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;

/** A record's header: its length with two flags above it, and an offset for the kernel's own use. */
const HEADER_SIZE = 8;
/** `BPF_RINGBUF_BUSY_BIT`: reserved, and not yet submitted. */
const BUSY = 0x8000_0000;
/** `BPF_RINGBUF_DISCARD_BIT`: to be skipped. */
const DISCARDED = 0x4000_0000;

export interface RingBuffer {
  /**
   * Hands over every record that is complete, oldest first, and makes room for
   * new ones. What `take` is given is a copy.
   * @param limit records at most; all if absent
   * @returns how many there were
   */
  read(take: (record: Buffer) => void, limit?: number): number;
  /** Gives the shared memory back; the descriptor stays the caller's. */
  close(): void;
}

/**
 * Maps a ring buffer into this process.
 * @param size its `maxEntries`: bytes
 * @throws {BpfError} where the descriptor is of no ring buffer, or of another size
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

  // One page that this side writes: how far it has read. One that the kernel
  // writes: how far it has written. Then the data, twice in a row, so that a
  // record which runs over the end can be read in one piece.
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
      if (!open) throw new Error("the ring buffer is read after it was closed");
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
        // `take` may have closed it.
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
