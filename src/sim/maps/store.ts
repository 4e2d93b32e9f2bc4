import { UpdateFlag } from "../../types/index.ts";
import { Region, type Protection } from "../memory/region.ts";
import { Errno } from "./errors.ts";

/** A key and what belongs to it: one value, or one for each CPU. */
export interface Element {
  readonly key: Uint8Array;
  readonly values: readonly Region[];
}

/** What all kinds of maps are made with. Sizes in bytes. */
export interface StoreShape {
  /** For faults. */
  readonly name: string;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  /** 1, or for a per-CPU map the number of CPUs. */
  readonly copies: number;
  /** What programs may do with values. */
  readonly protection: Protection;
}

/**
 * The elements of a map as bytes, with the rules of its type. `Update` and
 * `delete` give 0 or a negative error number, as the kernel's helpers do.
 */
export interface Store {
  /** `use` is a program's lookup, which makes an element recently used; user space's does not. */
  lookup(key: Uint8Array, use: boolean): Element | undefined;
  /** `values` has one element, or one for each CPU; undefined is zeroes where the element is new, and no change where it is not. */
  update(key: Uint8Array, values: readonly (Uint8Array | undefined)[], flags: number): number;
  delete(key: Uint8Array): number;
  elements(): Iterable<Element>;
}

/** Why flags do not allow an update; 0 where they do. */
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

/** Makes pointers to the values useless. */
export function discard(element: Element, reason: string): void {
  for (const value of element.values) value.invalidate(reason);
}
