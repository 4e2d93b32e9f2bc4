/** Helpers that copy bytes from and to the packet. */
import { ReasonForFault } from "../fault.ts";
import type { HelperCall } from "../helper-call.ts";
import type { HelperTable, WorldHelper, SimulatedKernel } from "./helper.ts";

const EFAULT = -14;
const EINVAL = -22;

function packetOf(world: SimulatedKernel): Uint8Array {
  const packet = world.current?.packet;
  if (packet === undefined) throw new ReasonForFault("the run has no packet");
  return packet;
}

function copy(
  world: SimulatedKernel,
  offset: number,
  size: number,
  failure: number,
  move: (part: Uint8Array) => void,
): number {
  const packet = packetOf(world);
  if (offset + size > packet.length) return failure;
  move(packet.subarray(offset, offset + size));
  return 0;
}

const load =
  (failure: number): WorldHelper =>
  (call: HelperCall, world) =>
    copy(world, call.u32(2), call.u32(4), failure, (part) => call.writableBytes(3, part.length).set(part));
const store =
  (failure: number): WorldHelper =>
  (call: HelperCall, world) =>
    copy(world, call.u32(2), call.u32(4), failure, (part) => part.set(call.bytes(3, part.length)));

export const packetHelpers: HelperTable = {
  bpf_skb_load_bytes: load(EFAULT),
  bpf_skb_store_bytes: store(EFAULT),
  bpf_xdp_load_bytes: load(EINVAL),
  bpf_xdp_store_bytes: store(EINVAL),
  bpf_xdp_get_buff_len: (_, world) => packetOf(world).length,
};
