import type { BuilderWith, Scalar } from "../src/dsl/index.ts";
import { percpuArray, struct, u32, u64 } from "../src/types/index.ts";
import type { DataPathOptions } from "./options.ts";

/** How often what became of a service's calls. */
export const Counters = struct("lb_counters", {
  /** Connects and datagrams that were sent to a backend. */
  translated: u64,
  /** Connects and datagrams that were refused for want of a backend. */
  noBackend: u64,
  /** Replies and peers that were shown as the service. */
  replies: u64,
  /** Flows whose service was gone or another when a reply came. */
  reverseMisses: u64,
  /** Reverse entries that could not be written. */
  reverseUpdateFailed: u64,
});

/** By `revNatIndex`, for each CPU. */
export const metrics = percpuArray("metrics", { value: Counters, maxEntries: 65_536 });

/** Counts something of a service, where the programs are built to count. */
export function count(b: BuilderWith, { metrics: counting }: DataPathOptions, revNatIndex: Scalar<"u16">, what: keyof typeof Counters["fields"]): void {
  if (!counting) return;
  b.lookup(metrics, revNatIndex.to(u32)).ifFound((counters) => counters[what].set(counters[what].add(1)));
}
