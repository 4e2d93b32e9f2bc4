import { readFileSync } from "node:fs";

let known: number | undefined;

/**
 * CPUs that may ever come online: the number of values in an element of a per-CPU map. 1 on systems other than
 * Linux.
 *
 * @example
 * ```ts
 * import { possibleCpus } from "tsbpf/kernel";
 *
 * const zeroes = new Array<bigint>(possibleCpus()).fill(0n);
 * ```
 */
export function possibleCpus(): number {
  if (process.platform !== "linux") return 1;
  return (known ??= countCpus(readFileSync("/sys/devices/system/cpu/possible", "utf8")));
}

/** Counts the CPUs in a list in the kernel's notation: `0-3,8`. */
export function countCpus(list: string): number {
  return list
    .trim()
    .split(",")
    .reduce((sum, range) => {
      const [first = 0, last = first] = range.split("-").map(Number);
      return sum + last - first + 1;
    }, 0);
}
