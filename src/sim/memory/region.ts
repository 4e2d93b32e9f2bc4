/**
 * A piece of memory that a program may have a pointer to: a stack frame, the
 * context, one value of a map, the packet, …
 *
 * The simulated address space gives each region 4 GiB of its own: the upper
 * half of an address is the region's number, the lower half is `REGION_START`
 * for its first byte. So pointers are plain 64-bit numbers, every region has
 * guard space of at least 256 MiB on both sides, and an address leads to its
 * region by one array access.
 */

/** Lower half of the address of a region's first byte. */
export const REGION_START = 0x1000_0000;

/** What kinds of access a region allows to a program. */
export type Protection = "read-write" | "read-only" | "none";

/** Judges accesses that are more than a question of bounds. */
export interface Guard {
  /** Why a load of `size` bytes at `offset` is not allowed; `undefined` where it is. */
  load(offset: number, size: number): string | undefined;
  /** The same for a store. */
  store(offset: number, size: number): string | undefined;
  /** Called after a store, and before anything is read. */
  stored(offset: number, size: number): void;
}

export class Region {
  /** As it stands in faults: `the stack`, `a value of map "services"`. */
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /**
   * Bytes that generated code may load from, or store to, without asking the
   * address space; 0 where there is something to ask.
   */
  loadable: number;
  storable: number;
  readonly protection: Protection;
  readonly guard: Guard | undefined;
  /** Why the memory is gone. */
  gone: string | undefined = undefined;
  /** Upper half of its address; 0 until it has one (the packet keeps 0). */
  high = 0;
  /** The address space that `high` holds in. */
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

  /** Any further access is a fault, for this reason. */
  invalidate(reason: string): void {
    this.gone = reason;
    this.loadable = 0;
    this.storable = 0;
  }
}
