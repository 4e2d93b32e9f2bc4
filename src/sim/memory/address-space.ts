import { ReasonForFault } from "../fault.ts";
import { Region, REGION_START } from "./region.ts";

/** High half of the packet's address. Packet addresses fit 32 bits, like the context fields that hold them. */
export const PACKET_HIGH = 0;
/** High half of the outermost stack frame's address; deeper frames follow. */
export const FIRST_FRAME_HIGH = 1;
/** The most open calls, including the main function (`MAX_CALL_FRAMES`). */
export const MAX_CALL_DEPTH = 8;
const FIRST_FREE_HIGH = FIRST_FRAME_HIGH + MAX_CALL_DEPTH;

const noPacket = new Region("the packet", new Uint8Array(0), "none");

/**
 * All memory that a run can reach. A region gets its address when a pointer to it is first made, and loses the
 * address at the end of the run.
 */
export class AddressSpace {
  /** By the high half of the address. Generated code reads it directly. */
  readonly regions: (Region | undefined)[] = new Array<Region | undefined>(FIRST_FREE_HIGH).fill(undefined);
  /** High half of the result of the last `load`. */
  high = 0;

  constructor() {
    this.regions[PACKET_HIGH] = noPacket;
  }

  /** Removes the addresses of all regions except the stack frames. */
  reset(): void {
    this.regions.length = FIRST_FREE_HIGH;
    this.regions[PACKET_HIGH] = noPacket;
  }

  setPacket(packet: Region): void {
    packet.owner = this;
    packet.high = PACKET_HIGH;
    this.regions[PACKET_HIGH] = packet;
  }

  /** The high half of the region's address, assigned now if it has none. */
  highOf(region: Region): number {
    if (region.owner === this && this.regions[region.high] === region) return region.high;
    region.owner = this;
    return (region.high = this.regions.push(region) - 1);
  }

  /** The address of the region's first byte. */
  addressOf(region: Region): bigint {
    return (BigInt(this.highOf(region)) << 32n) | BigInt(REGION_START);
  }

  /**
   * The region at an address, and the offset from its start.
   * @throws {ReasonForFault} if there is no memory at the address
   */
  find(high: number, low: number): { region: Region; offset: number } {
    const region = this.regions[high];
    const offset = (low | 0) - REGION_START;
    if (region === undefined || region === noPacket) throw new ReasonForFault(wildAddress(high, low));
    return { region, offset };
  }

  /**
   * The bytes at an address, for a helper with a pointer argument.
   * @throws {ReasonForFault} if the program itself may not access them like that
   */
  bytesAt(high: number, low: number, size: number, access: "load" | "store"): Uint8Array {
    const { region, offset } = this.find(high, low);
    const reason = refusal(region, offset, size, access);
    if (reason !== undefined) throw new ReasonForFault(reason);
    if (access === "store") region.guard?.stored(offset, size);
    return region.bytes.subarray(offset, offset + size);
  }

  /**
   * A load with all checks, for accesses that the fast path does not cover. Returns the low half, zero-extended
   * for sizes below 8, and leaves the high half in `high`.
   * @throws {ReasonForFault}
   */
  load(high: number, low: number, size: number): number {
    const { region, offset } = this.find(high, low);
    const reason = refusal(region, offset, size, "load");
    if (reason !== undefined) throw new ReasonForFault(reason);
    this.high = size === 8 ? region.view.getInt32(offset + 4, true) : 0;
    if (size === 1) return region.bytes[offset]!;
    return size === 2 ? region.view.getUint16(offset, true) : region.view.getInt32(offset, true);
  }

  /**
   * A store with all checks, for accesses that the fast path does not cover.
   * @throws {ReasonForFault}
   */
  store(high: number, low: number, size: number, valueLow: number, valueHigh: number): void {
    const { region, offset } = this.find(high, low);
    const reason = refusal(region, offset, size, "store");
    if (reason !== undefined) throw new ReasonForFault(reason);
    if (size === 1) region.bytes[offset] = valueLow;
    else if (size === 2) region.view.setInt16(offset, valueLow, true);
    else {
      region.view.setInt32(offset, valueLow, true);
      if (size === 8) region.view.setInt32(offset + 4, valueHigh, true);
    }
    region.guard?.stored(offset, size);
  }
}

/** Why an access is not allowed; undefined if it is allowed. */
function refusal(region: Region, offset: number, size: number, access: "load" | "store"): string | undefined {
  const { guard, protection } = region;
  const inside = offset >= 0 && offset + size <= region.bytes.length;
  const allowed = protection === "read-write" || (protection === "read-only" && access === "load");
  if (region.gone !== undefined || !inside || !allowed)
    return `${accessText(size, access)} ${misplaced(region, offset, size)}`;
  const reason = access === "load" ? guard?.load(offset, size) : guard?.store(offset, size);
  return reason === undefined
    ? undefined
    : `${accessText(size, access)} at offset ${offset} of ${region.name}: ${reason}`;
}

const accessText = (size: number, access: "load" | "store"): string =>
  `${access} of ${size} byte${size === 1 ? "" : "s"}`;

function misplaced(region: Region, offset: number, size: number): string {
  if (region.gone !== undefined) return `in ${region.name}, ${region.gone}`;
  if (region.protection === "none") return `in ${region.name}, which programs can only pass to helpers`;
  if (offset < 0 || offset + size > region.bytes.length) {
    return `${distance(offset, size, region.bytes.length)} ${region.name} (${region.bytes.length} bytes)`;
  }
  return `in ${region.name}, which is read-only`;
}

function distance(offset: number, size: number, length: number): string {
  if (offset < 0) return `${-offset} byte${offset === -1 ? "" : "s"} before the start of`;
  if (offset >= length) return `${offset - length} byte${offset - length === 1 ? "" : "s"} past the end of`;
  return `at offset ${offset}, the last ${offset + size - length} past the end of`;
}

function wildAddress(high: number, low: number): string {
  const address = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  if (address === 0n) return "access through a null pointer";
  if (address < 0x10000n) return `access through a null pointer (at 0x${address.toString(16)})`;
  return `access at 0x${address.toString(16)}, where there is no memory`;
}
