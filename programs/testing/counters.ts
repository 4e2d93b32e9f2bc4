import type { Infer } from "tsbpf";
import type { Counters } from "../index.ts";

/** The non-zero counters, summed over all CPUs. */
export function counted(perCpu: readonly Infer<Counters>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const counters of perCpu) {
    for (const [name, value] of Object.entries(counters)) {
      if (value > 0n) sums[name] = (sums[name] ?? 0) + Number(value);
    }
  }
  return sums;
}
