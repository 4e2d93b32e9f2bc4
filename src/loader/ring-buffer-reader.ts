import { mapInfo, openRingBuffer, type Fd, type RingBuffer } from "../kernel/index.ts";
import { decodeValue, type MapType, type Infer, type MapDefinition, type Schema } from "../types/index.ts";

/** A declared ring buffer. */
export type RingBufferDefinition<V extends Schema = Schema> = MapDefinition<typeof MapType.RINGBUF, Schema, V>;

/** Milliseconds between looks, unless told otherwise. */
const INTERVAL = 20;

/**
 * Reads the records that programs put into a ring buffer, as plain objects. Two
 * readers of one buffer would take records from each other: have one.
 */
export class RingBufferReader<V> {
  readonly #ring: RingBuffer;
  readonly #value: Schema<V>;

  constructor(ring: RingBuffer, value: Schema<V>) {
    this.#ring = ring;
    this.#value = value;
  }

  /**
   * The records that are there now, oldest first.
   * @param limit records at most: more may come while they are read
   * @throws {SchemaError} where a record is shorter than declared
   */
  read(limit?: number): V[] {
    const records: V[] = [];
    this.#ring.read((record) => records.push(decodeValue(this.#value, record)), limit);
    return records;
  }

  /**
   * Hands over records as they come, until the signal aborts: looks every
   * `interval` milliseconds, since waiting on the descriptor would take a thread.
   */
  async *records(
    options: { readonly interval?: number; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<V, void, undefined> {
    const { interval = INTERVAL, signal } = options;
    while (signal?.aborted !== true) {
      yield* this.read();
      await new Promise<void>((resolve) => {
        const wake = () => {
          clearTimeout(timer);
          signal?.removeEventListener("abort", wake);
          resolve();
        };
        const timer = setTimeout(wake, interval);
        signal?.addEventListener("abort", wake);
      });
    }
    yield* this.read();
  }

  /** Gives the shared memory back. */
  close(): void {
    this.#ring.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Opens a declared ring buffer for reading.
 * @param fd the map's descriptor, from a collection or a pin; stays the caller's
 * @throws {BpfError} where it is none
 */
export function readRingBuffer<V extends Schema>(
  definition: RingBufferDefinition<V>,
  fd: Fd,
): RingBufferReader<Infer<V>> {
  return new RingBufferReader(openRingBuffer(fd, mapInfo(fd).maxEntries), definition.value as Schema<Infer<V>>);
}
