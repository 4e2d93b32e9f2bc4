import { alignUp, decodeValue, MapType, type MapDefinition, type Schema } from "../../types/index.ts";
import { Region } from "../memory/region.ts";
import { MapRegion } from "./map-region.ts";

/** Bytes of the kernel's header before each record (`BPF_RINGBUF_HDR_SZ`). */
const HEADER_SIZE = 8;

interface RingRecord {
  readonly region: RecordRegion;
  state: "reserved" | "submitted" | "discarded";
}

/** A record from its reservation until it is submitted or discarded. */
class RecordRegion extends Region {
  readonly ring: RingBuffer;
  record: RingRecord;

  constructor(ring: RingBuffer, size: number) {
    super(`a record of ring buffer ${ring.name}`, new Uint8Array(size));
    this.ring = ring;
    this.record = { region: this, state: "reserved" };
  }
}

/**
 * A simulated ring buffer. A record takes 8 bytes of header plus its size rounded up to 8 bytes, and occupies
 * the space until user space reads it.
 *
 * @example
 * ```ts
 * import { be16, cgroup, PROCEED, ringbuf } from "tsbpf";
 * import { World } from "tsbpf/sim";
 *
 * const ports = ringbuf("ports", { value: be16, maxEntries: 4096 });
 * const log = cgroup.connect4("log", (b, ctx) => {
 *   b.ringbufOutput(ports, ctx.userPort);
 *   return PROCEED;
 * });
 * const world = new World();
 * world.run(log, { ctx: { userPort: 443 } });
 * console.log(world.map(ports).read()); // [ 443 ]
 * ```
 */
export class RingBuffer<V = unknown> {
  readonly definition: MapDefinition;
  readonly region: Region;
  readonly #records: RingRecord[] = [];
  #used = 0;

  constructor(definition: MapDefinition) {
    if (definition.type !== MapType.RINGBUF)
      throw new RangeError(`cannot simulate map ${definition.name} as a ring buffer: it has another type`);
    this.definition = definition;
    this.region = new MapRegion(definition.name, this);
  }

  get name(): string {
    return this.definition.name;
  }

  /** Removes and returns the submitted records, in reservation order, up to the first unfinished one. */
  read(): V[] {
    return this.readBytes().map((bytes) => decodeValue(this.definition.value as Schema<V>, bytes));
  }

  /** Like `read`, but as bytes, since records may be longer than the declared value. */
  readBytes(): Uint8Array[] {
    const read: Uint8Array[] = [];
    while (this.#records.length > 0 && this.#records[0]!.state !== "reserved") {
      const { region, state } = this.#records.shift()!;
      this.#used -= roomOf(region.bytes.length);
      if (state === "submitted") read.push(region.bytes);
    }
    return read;
  }

  /** For helpers: reserves a record; undefined if the buffer is full. */
  reserve(size: number): Region | undefined {
    const room = roomOf(size);
    if (this.#used + room > this.definition.maxEntries) return undefined;
    this.#used += room;
    const region = new RecordRegion(this, size);
    this.#records.push(region.record);
    return region;
  }

  /** For helpers: finishes a reserved record; false if the region is not one. */
  static finish(region: Region, state: "submitted" | "discarded"): boolean {
    if (!(region instanceof RecordRegion) || region.record.state !== "reserved") return false;
    region.record.state = state;
    region.invalidate(`which was ${state}`);
    return true;
  }

  /** For the end of a run: discards unfinished records; returns whether there were any. */
  discardUnfinished(): boolean {
    const unfinished = this.#records.filter(({ state }) => state === "reserved");
    for (const { region } of unfinished) RingBuffer.finish(region, "discarded");
    return unfinished.length > 0;
  }
}

const roomOf = (size: number): number => alignUp(size + HEADER_SIZE, 8);
