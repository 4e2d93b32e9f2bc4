/** What the programs count of each service, where they are built to count. */
import { NO_SERVICE, type Counter } from "../../../programs/index.ts";
import { Counters, type Maps } from "../../../programs/maps.ts";
import { possibleCpus } from "../../kernel/index.ts";
import type { MapHandle } from "../../loader/index.ts";
import type { AddressFamily } from "../model/service.ts";
import { decodeValue, type Infer } from "../../types/index.ts";

export type CounterMap = MapHandle<Maps["metrics"]>;
/** Sums over all CPUs. */
export type CounterTotals = Readonly<Record<Counter, bigint>>;

/** Indices of services, as a plan has them. */
export interface PlannedIndices {
  /** Of services that were there. */
  readonly kept: readonly number[];
  /** Of services that are new: another may have had such an index before. */
  readonly taken: readonly number[];
}

/** The names of all counters, in the order in which they are shown. */
export const counterNames = Object.keys(Counters.fields) as readonly Counter[];

/** Of each address family. */
type Planned = ReadonlyMap<AddressFamily, { readonly indices: PlannedIndices }>;

/**
 * Makes counters for services, before their values are written: those of new
 * services begin at 0, those of others go on.
 * @param maps of the families that are counted
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
 * Takes away the counters of all other services, once those are gone.
 * @throws {BpfError}
 */
export function dropCounters(maps: ReadonlyMap<AddressFamily, CounterMap>, plans: Planned): void {
  for (const [family, counters] of maps) {
    const { kept, taken } = plans.get(family)!.indices;
    const wanted = new Set([NO_SERVICE, ...kept, ...taken]);
    counters.deleteMany([...counters.keys()].filter((index) => !wanted.has(index)));
  }
}

/** Every service's totals, by its index; under `NO_SERVICE` what none could be named for. @throws {BpfError} */
export function readCounters(counters: CounterMap): Map<number, CounterTotals> {
  return new Map(Array.from(counters, ([index, perCpu]) => [index, sumCounters(perCpu)]));
}

/** The sums of counters, of CPUs or of services. */
export function sumCounters(parts: readonly CounterTotals[]): CounterTotals {
  return Object.fromEntries(
    counterNames.map((name) => [name, parts.reduce((sum, part) => sum + part[name], 0n)]),
  ) as CounterTotals;
}
