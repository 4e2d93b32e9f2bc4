/** Helpers for ring buffers. */
import { ReasonForFault } from "../fault.ts";
import type { HelperCall } from "../helper-call.ts";
import { Errno } from "../maps/errors.ts";
import { RingBuffer } from "../maps/ring-buffer.ts";
import type { HelperTable } from "./helper.ts";
import { mapArgument } from "./maps.ts";

function ringBuffer(call: HelperCall): RingBuffer {
  const map = mapArgument(call);
  if (map instanceof RingBuffer) return map;
  throw new ReasonForFault("the map that r1 points to is not a ring buffer");
}

function finish(call: HelperCall, state: "submitted" | "discarded"): void {
  const { region, offset } = call.pointer(1);
  if (offset !== 0 || !RingBuffer.finish(region, state)) {
    throw new ReasonForFault(`r1 points to ${region.name}, not to a reserved record`);
  }
}

export const ringBufferHelpers: HelperTable = {
  bpf_ringbuf_output(call) {
    const ring = ringBuffer(call);
    const data = call.bytes(2, Number(call.u64(3)));
    const record = ring.reserve(data.length);
    if (record === undefined) return -Errno.EAGAIN;
    record.bytes.set(data);
    RingBuffer.finish(record, "submitted");
    return 0;
  },
  bpf_ringbuf_reserve: (call) => ringBuffer(call).reserve(Number(call.u64(2))),
  bpf_ringbuf_submit: (call) => finish(call, "submitted"),
  bpf_ringbuf_discard: (call) => finish(call, "discarded"),
};
