import type { MapDefinition, MapType, Schema } from "../../types/index.ts";
import type { Emitter } from "../emitter.ts";
import type { Init } from "../reference.ts";
import { ScalarValue, type Scalar } from "../scalar.ts";
import { callHelper, mapAddress, valueAddress, type Implementations } from "./call.ts";

type RingBuffer<V extends Schema> = MapDefinition<typeof MapType.RINGBUF, Schema, V>;

/** Records for user space. */
export interface RingBufferHelpers {
  /** Copies a record into the ring buffer: 0, or a negative errno where it is full (Linux 5.8). */
  ringbufOutput<V extends Schema>(map: RingBuffer<V>, record: Init<V>): Scalar<"i64">;
}

export const ringBuffer: Implementations<RingBufferHelpers> = {
  ringbufOutput(emitter: Emitter, map: MapDefinition, record: unknown) {
    const result = callHelper(
      emitter,
      "bpf_ringbuf_output",
      [
        mapAddress(emitter, map),
        valueAddress(emitter, map.value, record),
        emitter.constant("i64", BigInt(map.value.size)),
        emitter.constant("i64", 0n),
      ],
      { reads: [1] },
    );
    return new ScalarValue(emitter, "i64", result);
  },
};
