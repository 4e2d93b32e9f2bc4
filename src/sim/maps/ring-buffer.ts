import { alignUp, decodeValue, MapType, type MapDefinition, type Schema } from "../../types/index.ts";
import { Region } from "../memory/region.ts";
import { MapRegion } from "./map-region.ts";

/** Bytes that the kernel puts before each record (`BPF_RINGBUF_HDR_SZ`). */
const HEADER_SIZE = 8;

interface RingRecord {
  readonly region: RecordRegion;
  state: "reserved" | "submitted" | "discarded";
}

/** A record between its reservation and its end. */
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
 * A simulated ring buffer. Records take their size rounded up to 8 bytes and 8
 * bytes of header; what user space has not read yet takes room.
 */
export class RingBuffer<V = unknown> {
  readonly definition: MapDefinition;
  readonly region: Region;
  readonly #records: RingRecord[] = [];
  #used = 0;

  constructor(definition: MapDefinition) {
    if (definition.type !== MapType.RINGBUF) throw new RangeError(`map ${definition.name} is no ring buffer`);
    this.definition = definition;
    this.region = new MapRegion(definition.name, this);
  }

  get name(): string {
    return this.definition.name;
  }

  /** Takes out what was submitted, in the order of reservation, up to the first record that is not finished. */
  read(): V[] {
    return this.readBytes().map((bytes) => decodeValue(this.definition.value as Schema<V>, bytes));
  }

  /** The same, as bytes: records may be longer than the declared value. */
  readBytes(): Uint8Array[] {
    const read: Uint8Array[] = [];
    while (this.#records.length > 0 && this.#records[0]!.state !== "reserved") {
      const { region, state } = this.#records.shift()!;
      this.#used -= roomOf(region.bytes.length);
      if (state === "submitted") read.push(region.bytes);
    }
    return read;
  }

  /** For helpers: room for a record, or undefined where the buffer is full. */
  reserve(size: number): Region | undefined {
    const room = roomOf(size);
    if (this.#used + room > this.definition.maxEntries) return undefined;
    this.#used += room;
    const region = new RecordRegion(this, size);
    this.#records.push(region.record);
    return region;
  }

  /** For helpers: finishes a reserved record; false for what is none. */
  static finish(region: Region, state: "submitted" | "discarded"): boolean {
    if (!(region instanceof RecordRegion) || region.record.state !== "reserved") return false;
    region.record.state = state;
    region.invalidate(`which was ${state}`);
    return true;
  }

  /** For the end of a run: discards what was reserved and never finished; whether there was anything. */
  discardUnfinished(): boolean {
    const unfinished = this.#records.filter(({ state }) => state === "reserved");
    for (const { region } of unfinished) RingBuffer.finish(region, "discarded");
    return unfinished.length > 0;
  }
}

const roomOf = (size: number): number => alignUp(size + HEADER_SIZE, 8);
