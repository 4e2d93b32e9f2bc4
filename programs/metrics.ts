import { u32, type BuilderWith, type Ref, type Scalar } from "tsbpf";
import type { Counters } from "./maps.ts";
import type { DataPathOptions } from "./options.ts";
import type { SocketAddress } from "./socket-address.ts";

/** Something that is counted. */
export type Counter = keyof Counters["fields"];

/** The index of what no service can be named for, in the maps of counters. */
export const NO_SERVICE = 0;

/**
 * Counts something of a service, where the programs are built to count. What
 * has no counters, since the service has just been taken away, is not counted.
 */
export function count(
  b: BuilderWith,
  { maps }: Pick<SocketAddress, "maps">,
  { metrics: counting }: DataPathOptions,
  revNatIndex: Scalar<"u16"> | typeof NO_SERVICE,
  what: Counter,
): void {
  if (!counting) return;
  b.lookup(maps.metrics, indexOf(revNatIndex)).ifFound((counters) => add(counters, what));
}

/** Counts a flow whose service is no more, or another: under its index as long as that is somebody's, then under `NO_SERVICE`. */
export function countMiss(
  b: BuilderWith,
  from: SocketAddress,
  options: DataPathOptions,
  revNatIndex: Scalar<"u16">,
): void {
  if (!options.metrics) return;
  b.lookup(from.maps.metrics, indexOf(revNatIndex)).match(
    (counters) => add(counters, "reverseMisses"),
    () => count(b, from, options, NO_SERVICE, "reverseMisses"),
  );
}

function add(counters: Ref<Counters>, what: Counter): void {
  counters[what].set(counters[what].add(1));
}

const indexOf = (revNatIndex: Scalar<"u16"> | typeof NO_SERVICE) =>
  revNatIndex === NO_SERVICE ? revNatIndex : revNatIndex.to(u32);
