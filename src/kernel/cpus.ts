import { readFileSync } from "node:fs";

let known: number | undefined;

/**
 * CPUs that may ever come online, which is how many values an element of a
 * per-CPU map has. Where this is not Linux there is no kernel to agree with, and it is 1.
 */
export function possibleCpus(): number {
  if (process.platform !== "linux") return 1;
  return (known ??= countCpus(readFileSync("/sys/devices/system/cpu/possible", "utf8")));
}

/** Counts a list as the kernel prints it: `0-3,8`. */
export function countCpus(list: string): number {
  return list
    .trim()
    .split(",")
    .reduce((sum, range) => {
      const [first = 0, last = first] = range.split("-").map(Number);
      return sum + last - first + 1;
    }, 0);
}
