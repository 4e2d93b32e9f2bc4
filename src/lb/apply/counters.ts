/** The counters of services, which exist if options.metrics is set. */
import { Counters, NO_SERVICE, type Counter, type Maps } from "../../../programs/index.ts";
import { possibleCpus } from "../../kernel/index.ts";
import type { MapHandle } from "../../loader/index.ts";
import type { AddressFamily } from "../model/index.ts";
import type { PlannedIndices } from "../plan/index.ts";
import { decodeValue, type Infer } from "../../types/index.ts";

export type CounterMap = MapHandle<Maps["metrics"]>;
/** Counters summed over all CPUs. */
export type CounterTotals = Readonly<Record<Counter, bigint>>;

/** The names of all counters, in the order of display. */
export const counterNames = Object.keys(Counters.fields) as readonly Counter[];

/** Plans by address family. */
type Planned = ReadonlyMap<AddressFamily, { readonly indices: PlannedIndices }>;

/**
 * Creates the counters of services before their values are written. Counters
 * of new services start at 0; others continue.
 * @param maps counter maps by family
 * @throws {BpfError}
 */
export function makeCounters(maps: ReadonlyMap<AddressFamily, CounterMap>, plans: Planned): void {
  const zero = new Array<Infer<Counters>>(possibleCpus()).fill(decodeValue(Counters, new Uint8Array(Counters.size)));
  for (const [family, counters] of maps) {
    const { kept, taken } = plans.get(family)!.indices;
    const missing = [NO_SERVICE, ...kept].filter((index) => !counters.has(index));
    counters.setMany([...missing, ...taken].map((index) => [index, zero] as const));
  }
}

/**
 * Deletes the counters of all other services, after those are gone.
 * @throws {BpfError}
 */
export function dropCounters(maps: ReadonlyMap<AddressFamily, CounterMap>, plans: Planned): void {
  for (const [family, counters] of maps) {
    const { kept, taken } = plans.get(family)!.indices;
    const wanted = new Set([NO_SERVICE, ...kept, ...taken]);
    counters.deleteMany([...counters.keys()].filter((index) => !wanted.has(index)));
  }
}

/** Totals by service index; `NO_SERVICE` has the calls that belong to no service. @throws {BpfError} */
export function readCounters(counters: CounterMap): Map<number, CounterTotals> {
  return new Map(Array.from(counters, ([index, perCpu]) => [index, sumCounters(perCpu)]));
}

/** Adds counters up, of CPUs or of services. */
export function sumCounters(parts: readonly CounterTotals[]): CounterTotals {
  return Object.fromEntries(
    counterNames.map((name) => [name, parts.reduce((sum, part) => sum + part[name], 0n)]),
  ) as CounterTotals;
}
