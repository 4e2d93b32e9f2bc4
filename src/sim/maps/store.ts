import { UpdateFlag } from "../../types/index.ts";
import { Region, type Protection } from "../memory/region.ts";
import { Errno } from "./errors.ts";

/** A key and its value, or one value per CPU. */
export interface Element {
  readonly key: Uint8Array;
  readonly values: readonly Region[];
}

/** The parameters of every kind of map. Sizes are in bytes. */
export interface StoreShape {
  /** The map's name, for faults. */
  readonly name: string;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  /** The number of CPUs for a per-CPU map, else 1. */
  readonly copies: number;
  /** The access that programs have to values. */
  readonly protection: Protection;
}

/**
 * The elements of a map as bytes, with the rules of its type. `update` and `delete` return 0 or a negative
 * error number, like the kernel's helpers.
 */
export interface Store {
  /** `use` marks the element as recently used: true for programs, false for user space. */
  lookup(key: Uint8Array, use: boolean): Element | undefined;
  /**
   * `values` has one value, or one per CPU. Undefined means zeroes for a new element and no change for an
   * existing one.
   */
  update(key: Uint8Array, values: readonly (Uint8Array | undefined)[], flags: number): number;
  delete(key: Uint8Array): number;
  elements(): Iterable<Element>;
}

/** The error number of an update that its flags forbid; 0 if they allow it. */
export function updateRefusal(flags: number, exists: boolean): number {
  if (flags > UpdateFlag.EXIST || flags < 0) return -Errno.EINVAL;
  if (flags === UpdateFlag.NOEXIST && exists) return -Errno.EEXIST;
  if (flags === UpdateFlag.EXIST && !exists) return -Errno.ENOENT;
  return 0;
}

export function newElement(shape: StoreShape, key: Uint8Array, values: readonly (Uint8Array | undefined)[]): Element {
  return {
    key: key.slice(),
    values: Array.from({ length: shape.copies }, (_, cpu) => newValue(shape, values[cpu])),
  };
}

function newValue({ name, valueSize, protection }: StoreShape, bytes: Uint8Array | undefined): Region {
  return new Region(
    `a value of map ${name}`,
    bytes === undefined ? new Uint8Array(valueSize) : bytes.slice(),
    protection,
  );
}

/** Invalidates pointers to the element's values. */
export function discard(element: Element, reason: string): void {
  for (const value of element.values) value.invalidate(reason);
}
