import { readFileSync } from "node:fs";

/** `AT_PAGESZ` of the auxiliary vector (linux/auxvec.h). */
const AT_PAGESZ = 6n;

let known: number | undefined;

/** This machine's page size in bytes. */
export function pageSize(): number {
  return (known ??= pageSizeIn(readFileSync("/proc/self/auxv")));
}

/**
 * The page size in an auxiliary vector: pairs of 64-bit numbers, type and value (proc(5)).
 * @throws {RangeError} if the vector lacks it
 */
export function pageSizeIn(vector: Uint8Array): number {
  const view = new DataView(vector.buffer, vector.byteOffset, vector.byteLength);
  for (let at = 0; at + 16 <= vector.byteLength; at += 16) {
    if (view.getBigUint64(at, true) === AT_PAGESZ) return Number(view.getBigUint64(at + 8, true));
  }
  throw new RangeError("cannot find the page size: the auxiliary vector has no AT_PAGESZ");
}
