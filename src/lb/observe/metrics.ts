/** What the programs have counted, by the services' names, and how full the maps are. */
import { NO_SERVICE } from "../../../programs/metrics.ts";
import { checkManager, type PinDirectory } from "../../loader/index.ts";
import { readCounters, sumCounters, type CounterTotals } from "../apply/counters.ts";
import { LoadBalancerError } from "../model/error.ts";
import { loadedPins, nothingLoaded, pinnedFamilies } from "../apply/pins.ts";
import { pinnedMapUses, type MapUse } from "./map-use.ts";
import { familyMaps, loadBalancerMaps } from "../apply/maps.ts";
import type { AddressFamily } from "../model/service.ts";
import { serviceNames } from "./service-names.ts";

export interface Metrics {
  /** In the order of their names. */
  readonly services: readonly ServiceMetrics[];
  /** What could not be counted under a service. */
  readonly withoutService: CounterTotals;
  readonly maps: readonly MapMetrics[];
}

export interface ServiceMetrics {
  /** Its address, where the maps name none. */
  readonly name: string;
  readonly family: AddressFamily;
  /** `tcp`, `udp`; a number for any other. */
  readonly protocol: string;
  /** Since the service is there. */
  readonly counters: CounterTotals;
}

export interface MapMetrics extends MapUse {
  readonly name: string;
  readonly maxEntries: number;
}

/**
 * What has been counted up to now, over all CPUs.
 * @param directory of the pins
 * @throws {LoadBalancerError} where nothing is loaded, or the programs are not built to count
 * @throws {BpfError}
 */
export function loadBalancerMetrics(directory: string): Metrics {
  checkManager();
  const pins = loadedPins(directory);
  if (pins === undefined) throw nothingLoaded(directory);
  const families = pinnedFamilies(pins, "metrics");
  if (families.length === 0) {
    throw new LoadBalancerError("nothing is counted: the programs that are loaded are not built for it", {
      hint: "set options.metrics to true in the configuration, and load again",
    });
  }
  const counted = families.map((family) => familyMetrics(pins, family));
  const uses = pinnedMapUses(pins);
  return {
    services: counted
      .flatMap(({ services }) => services)
      .sort((a, b) => compare(a.name, b.name) || compare(a.family, b.family)),
    withoutService: sumCounters(
      counted.map(({ withoutService }) => withoutService).filter((totals) => totals !== undefined),
    ),
    maps: loadBalancerMaps.flatMap(({ name }) => {
      const use = uses.get(name);
      return use === undefined ? [] : [{ name, maxEntries: pins.mapInfo(name).maxEntries, ...use }];
    }),
  };
}

function familyMetrics(
  pins: PinDirectory,
  family: AddressFamily,
): { services: ServiceMetrics[]; withoutService: CounterTotals | undefined } {
  using counterMap = pins.map(familyMaps[family].metrics);
  const counters = readCounters(counterMap);
  // A service may be in several parts, each with an index of its own.
  const parts = new Map<string, { name: string; protocol: string; counters: CounterTotals[] }>();
  for (const [index, { name, protocol }] of serviceNames(pins, family)) {
    const totals = counters.get(index);
    if (totals === undefined) continue;
    const text = `${protocol} ${name}`;
    const found = parts.get(text) ?? { name, protocol, counters: [] };
    found.counters.push(totals);
    parts.set(text, found);
  }
  return {
    services: Array.from(parts.values(), ({ name, protocol, counters: totals }) => ({
      name,
      family,
      protocol,
      counters: sumCounters(totals),
    })),
    withoutService: counters.get(NO_SERVICE),
  };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
