/** How full maps are. */
import { kernelElementCount, type PinDirectory, type TypedMap } from "../../loader/index.ts";
import { MapType } from "../../types/index.ts";
import { familyMaps, loadBalancerMaps } from "../apply/maps.ts";
import type { Range } from "../plan/index.ts";

/** Elements that a map holds, and how that is known. */
export interface MapUse {
  readonly used: number;
  /**
   * `kernel`: by the count that the kernel keeps (Linux 6.6), exact and had
   * without looking into the map. `walk`: counted one by one, which takes the
   * longer the more there are. `services`: of slots, as many as the services
   * say that they have.
   */
  readonly countedBy: "kernel" | "walk" | "services";
}

const HASHES: ReadonlySet<MapType> = new Set<MapType>([MapType.HASH, MapType.LRU_HASH, MapType.PERCPU_HASH]);

/** How full a hash map is. @throws {BpfError} */
function mapUse(map: TypedMap<unknown, unknown>): MapUse {
  const used = kernelElementCount(map.definition, map.fd);
  return used === undefined ? { used: map.count(), countedBy: "walk" } : { used, countedBy: "kernel" };
}

/** How many slots services have, each row of slots once. */
function slotUse(services: Iterable<{ readonly range: Range }>): MapUse {
  const rows = new Map(Array.from(services, ({ range }) => [range.base, range.count]));
  return { used: [...rows.values()].reduce((sum, count) => sum + count, 0), countedBy: "services" };
}

/**
 * How full the pinned maps are, by their names; those left out of which that cannot be said.
 * @throws {LoaderError} where a map is another than it ought to be
 * @throws {BpfError}
 */
export function pinnedMapUses(pins: PinDirectory): ReadonlyMap<string, MapUse> {
  const pinned = new Set(pins.names("maps"));
  const uses = new Map<string, MapUse>();
  for (const definition of loadBalancerMaps.filter(({ name, type }) => pinned.has(name) && HASHES.has(type))) {
    using map = pins.map(definition);
    uses.set(definition.name, mapUse(map));
  }
  for (const { services, slots } of Object.values(familyMaps)) {
    if (!pinned.has(slots.name)) continue;
    using map = pins.map(services);
    uses.set(slots.name, slotUse(Array.from(map, ([, service]) => service)));
  }
  return uses;
}
