/** Counters by service name, and how full the maps are. */
import { NO_SERVICE } from "../../../programs/index.ts";
import { checkManager, type PinDirectory } from "../../loader/index.ts";
import {
  familyMaps,
  loadBalancerMaps,
  loadedPins,
  nothingLoaded,
  pinnedFamilies,
  readCounters,
  sumCounters,
  type CounterTotals,
} from "../apply/index.ts";
import { LoadBalancerError, type AddressFamily } from "../model/index.ts";
import { pinnedMapUses, type MapUse } from "./map-use.ts";
import { serviceNames } from "./service-names.ts";

/** Counters of services, and how full the maps are. */
export interface Metrics {
  /** Ordered by name. */
  readonly services: readonly ServiceMetrics[];
  /** Calls that belong to no service. */
  readonly withoutService: CounterTotals;
  readonly maps: readonly MapMetrics[];
}

/** The counters of a service. */
export interface ServiceMetrics {
  /** Its address if the maps have no name. */
  readonly name: string;
  readonly family: AddressFamily;
  /** `tcp`, `udp`, `udplite`, or a number. */
  readonly protocol: string;
  /** Counted since the service was added. */
  readonly counters: CounterTotals;
}

/** The use of a map. */
export interface MapMetrics extends MapUse {
  readonly name: string;
  readonly maxEntries: number;
}

/**
 * Reads the counters, summed over all CPUs.
 * @param directory the pin directory
 * @throws {LoadBalancerError} if nothing is loaded, or it was loaded without options.metrics
 * @throws {LoaderError} if the directory belongs to something else
 * @throws {BpfError} if the kernel refuses
 *
 * @example
 * ```ts
 * import { loadBalancerMetrics } from "tsbpf/lb";
 *
 * for (const { name, counters } of loadBalancerMetrics("/sys/fs/bpf/tsbpf").services) {
 *   console.log(name, counters.translated);
 * }
 * ```
 */
export function loadBalancerMetrics(directory: string): Metrics {
  checkManager();
  const pins = loadedPins(directory);
  if (pins === undefined) throw nothingLoaded(directory);
  const families = pinnedFamilies(pins, "metrics");
  if (families.length === 0) {
    throw new LoadBalancerError("cannot read counters: the loaded programs do not count", {
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
  // A service may have several parts, each with its own index.
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
