import { toSigned, toUnsigned } from "./arithmetic.ts";
import type { AddressSpace } from "./memory/address-space.ts";
import { Region, REGION_START } from "./memory/region.ts";

/**
 * A helper's result: a number (negative for an error number), a 64-bit value, a pointer to a region's first
 * byte, or nothing for 0.
 */
export type HelperResult = number | bigint | Region | undefined | void;

/** A helper function of the simulated kernel. */
export type Helper = (call: HelperCall) => HelperResult;

/** The machine that calls a helper. */
export interface CallingMachine {
  readonly space: AddressSpace;
  /** High half of the last 64-bit result. */
  high: number;
  /** Calls the function at an address, for helpers with callbacks. */
  callFunction(
    low: number,
    high: number,
    depth: number,
    l1: number,
    h1: number,
    l2: number,
    h2: number,
    l3: number,
    h3: number,
    l4: number,
    h4: number,
    l5: number,
    h5: number,
  ): number;
}

/** The number of an argument and its register. */
type Argument = 1 | 2 | 3 | 4 | 5;

/**
 * One call of a helper: its arguments, r1 to r5, and the memory they point to. An invalid pointer faults at the
 * call.
 *
 * @example
 * ```ts
 * import { World, type HelperCall } from "tsbpf/sim";
 *
 * // bpf_setsockopt(context, level, name, value, length)
 * const setsockopt = (call: HelperCall) => {
 *   console.log("level", call.i32(2), "name", call.i32(3));
 *   return 0n;
 * };
 * const world = new World({ helpers: { bpf_setsockopt: setsockopt } });
 * ```
 */
export class HelperCall {
  readonly machine: CallingMachine;
  readonly #depth: number;
  readonly #halves: readonly number[];

  constructor(
    machine: CallingMachine,
    depth: number,
    l1: number,
    h1: number,
    l2: number,
    h2: number,
    l3: number,
    h3: number,
    l4: number,
    h4: number,
    l5: number,
    h5: number,
  ) {
    this.machine = machine;
    this.#depth = depth;
    this.#halves = [l1, h1, l2, h2, l3, h3, l4, h4, l5, h5];
  }

  /** The low 32 bits of an argument, signed. */
  i32(argument: Argument): number {
    return this.#halves[2 * argument - 2]!;
  }

  /** The low 32 bits of an argument, unsigned. */
  u32(argument: Argument): number {
    return this.i32(argument) >>> 0;
  }

  i64(argument: Argument): bigint {
    return toSigned(this.i32(argument), this.#high(argument));
  }

  u64(argument: Argument): bigint {
    return toUnsigned(this.i32(argument), this.#high(argument));
  }

  isNull(argument: Argument): boolean {
    return this.i32(argument) === 0 && this.#high(argument) === 0;
  }

  /** `size` readable bytes at the argument's address. Not a copy: later writes of the program show. */
  bytes(argument: Argument, size: number): Uint8Array {
    return this.machine.space.bytesAt(this.#high(argument), this.i32(argument), size, "load");
  }

  /** `size` writable bytes at the argument's address. */
  writableBytes(argument: Argument, size: number): Uint8Array {
    return this.machine.space.bytesAt(this.#high(argument), this.i32(argument), size, "store");
  }

  /** The region that the argument points into, and the offset from its start. */
  pointer(argument: Argument): { region: Region; offset: number } {
    return this.machine.space.find(this.#high(argument), this.i32(argument));
  }

  /**
   * Calls the function whose address the argument holds. Numbers are sign-extended; regions are passed as
   * pointers.
   * @returns the low half of the function's r0
   */
  callback(
    argument: Argument,
    r1: bigint | number | Region,
    r2: bigint | number | Region,
    r3: bigint | number | Region = 0,
    r4: bigint | number | Region = 0,
  ): number {
    const halves = [r1, r2, r3, r4].flatMap((value) => this.#split(value));
    const [l1, h1, l2, h2, l3, h3, l4, h4] = halves as [number, number, number, number, number, number, number, number];
    return this.machine.callFunction(
      this.i32(argument),
      this.#high(argument),
      this.#depth,
      l1,
      h1,
      l2,
      h2,
      l3,
      h3,
      l4,
      h4,
      0,
      0,
    );
  }

  /** Returns a result to generated code: the low half directly, the high half through the machine. */
  give(value: HelperResult): number {
    const [low, high] = this.#split(value);
    this.machine.high = high;
    return low;
  }

  #high(argument: Argument): number {
    return this.#halves[2 * argument - 1]!;
  }

  #split(value: HelperResult): [number, number] {
    if (typeof value === "number")
      return [value | 0, value < 0 ? -1 : value > 0xffff_ffff ? Math.floor(value / 0x1_0000_0000) | 0 : 0];
    if (typeof value === "bigint") return [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
    if (value instanceof Region) return [REGION_START, this.machine.space.highOf(value)];
    return [0, 0];
  }
}
