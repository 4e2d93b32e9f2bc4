import { mapInfo, openRingBuffer, type Fd, type RingBuffer } from "../kernel/index.ts";
import { decodeValue, type MapType, type Infer, type MapDefinition, type Schema } from "../types/index.ts";

/** A declared ring buffer. */
export type RingBufferDefinition<V extends Schema = Schema> = MapDefinition<typeof MapType.RINGBUF, Schema, V>;

/** Default milliseconds between polls. */
const INTERVAL = 20;

/**
 * Reads the records that programs put into a ring buffer, as plain objects. Use one reader per buffer: each
 * record goes to one reader only.
 *
 * @example
 * ```ts
 * import { be16, cgroup, load, PROCEED, readRingBuffer, ringbuf } from "tsbpf";
 *
 * const ports = ringbuf("ports", { value: be16, maxEntries: 4096 });
 * const log = cgroup.connect4("log", (b, ctx) => {
 *   b.ringbufOutput(ports, ctx.userPort);
 *   return PROCEED;
 * });
 * using loaded = load([log]);
 * using reader = readRingBuffer(ports, loaded.maps.get("ports")!.fd);
 * for await (const port of reader.records({ signal: AbortSignal.timeout(1000) })) console.log(port);
 * ```
 */
export class RingBufferReader<V> {
  readonly #ring: RingBuffer;
  readonly #value: Schema<V>;

  constructor(ring: RingBuffer, value: Schema<V>) {
    this.#ring = ring;
    this.#value = value;
  }

  /**
   * The complete records, oldest first.
   * @param limit the most records to read; all by default, including those that arrive while reading
   * @throws {SchemaError} if a record is shorter than declared
   */
  read(limit?: number): V[] {
    const records: V[] = [];
    this.#ring.read((record) => records.push(decodeValue(this.#value, record)), limit);
    return records;
  }

  /**
   * Yields records as they arrive, until the signal aborts. Polls every `interval` milliseconds (20 by
   * default), since waiting on the descriptor would take a thread.
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

  /** Unmaps the shared memory. */
  close(): void {
    this.#ring.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Opens a declared ring buffer for reading.
 * @param fd the map's descriptor, from a collection or a pin; the caller still owns it
 * @throws {BpfError} if the descriptor is not a ring buffer
 * @example
 * ```ts
 * import { load, readRingBuffer, ringbuf, struct, u32 } from "tsbpf";
 *
 * const events = ringbuf("events", { value: struct("event", { pid: u32 }), maxEntries: 4096 });
 * using loaded = load([], { maps: [events] });
 * using reader = readRingBuffer(events, loaded.map(events).fd);
 * for (const { pid } of reader.read()) console.log(pid);
 * ```
 */
export function readRingBuffer<V extends Schema>(
  definition: RingBufferDefinition<V>,
  fd: Fd,
): RingBufferReader<Infer<V>> {
  return new RingBufferReader(openRingBuffer(fd, mapInfo(fd).maxEntries), definition.value as Schema<Infer<V>>);
}
