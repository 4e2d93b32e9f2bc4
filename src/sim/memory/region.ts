/**
 * A piece of memory that programs may point to: a stack frame, the context, a map value, the packet, …
 *
 * The simulated address space gives each region 4 GiB: the high half of an address is the region's number, and
 * the low half is `REGION_START` for its first byte. Pointers are therefore plain 64-bit numbers, every region
 * has at least 256 MiB of guard space on both sides, and one array access finds the region of an address.
 */

/** Low half of the address of a region's first byte. */
export const REGION_START = 0x1000_0000;

/** The access that a program has to a region. */
export type Protection = "read-write" | "read-only" | "none";

/** Access checks beyond bounds. */
export interface Guard {
  /** Why a load of `size` bytes at `offset` is not allowed; undefined if it is. */
  load(offset: number, size: number): string | undefined;
  /** Like `load`, for a store. */
  store(offset: number, size: number): string | undefined;
  /** Called after each store. */
  stored(offset: number, size: number): void;
}

export class Region {
  /** The name in faults: `the stack`, `a value of map "services"`. */
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Bytes that generated code may load or store without asking the address space; 0 if accesses need a check. */
  loadable: number;
  storable: number;
  readonly protection: Protection;
  readonly guard: Guard | undefined;
  /** Why the memory is no longer valid. */
  gone: string | undefined = undefined;
  /** High half of its address; 0 until it has one (always 0 for the packet). */
  high = 0;
  /** The address space in which `high` is valid. */
  owner: object | undefined = undefined;

  constructor(name: string, bytes: Uint8Array, protection: Protection = "read-write", guard?: Guard) {
    this.name = name;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.protection = protection;
    this.guard = guard;
    this.loadable = guard === undefined && protection !== "none" ? bytes.length : 0;
    this.storable = guard === undefined && protection === "read-write" ? bytes.length : 0;
  }

  /** Makes every further access a fault with this reason. */
  invalidate(reason: string): void {
    this.gone = reason;
    this.loadable = 0;
    this.storable = 0;
  }
}
