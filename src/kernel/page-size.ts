import { readFileSync } from "node:fs";

/** `AT_PAGESZ` of the auxiliary vector (linux/auxvec.h). */
const AT_PAGESZ = 6n;

let known: number | undefined;

/** Bytes of a page of memory on this machine. */
export function pageSize(): number {
  return (known ??= pageSizeIn(readFileSync("/proc/self/auxv")));
}

/**
 * The page size that an auxiliary vector tells: pairs of 64-bit numbers, what
 * and how much (proc(5)).
 * @throws {RangeError} where it tells none
 */
export function pageSizeIn(vector: Uint8Array): number {
  const view = new DataView(vector.buffer, vector.byteOffset, vector.byteLength);
  for (let at = 0; at + 16 <= vector.byteLength; at += 16) {
    if (view.getBigUint64(at, true) === AT_PAGESZ) return Number(view.getBigUint64(at + 8, true));
  }
  throw new RangeError("the auxiliary vector does not tell the page size");
}
