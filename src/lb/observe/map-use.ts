/** The use of maps. */
import { kernelElementCount, type PinDirectory, type TypedMap } from "../../loader/index.ts";
import { mapKind } from "../../types/index.ts";
import { familyMaps, loadBalancerMaps } from "../apply/index.ts";
import type { Range } from "../plan/index.ts";

/** The number of elements of a map, and how it was found. */
export interface MapUse {
  readonly used: number;
  /**
   * `kernel`: the kernel's own count (Linux 6.6), exact and cheap. `walk`:
   * counted one by one, which takes longer the more there are. `services`: the
   * slots that the services have.
   */
  readonly countedBy: "kernel" | "walk" | "services";
}

/** The use of a hash map. @throws {BpfError} */
function mapUse(map: TypedMap<unknown, unknown>): MapUse {
  const used = kernelElementCount(map.definition, map.fd);
  return used === undefined ? { used: map.count(), countedBy: "walk" } : { used, countedBy: "kernel" };
}

/** The number of slots of all services, each range once. */
function slotUse(services: Iterable<{ readonly range: Range }>): MapUse {
  const rows = new Map(Array.from(services, ({ range }) => [range.base, range.count]));
  return { used: [...rows.values()].reduce((sum, count) => sum + count, 0), countedBy: "services" };
}

/**
 * How full the pinned maps are, by name. Maps whose elements always exist, or belong to sockets, are left out.
 * @throws {LoaderError} if a pinned map differs from its declaration
 * @throws {BpfError}
 */
export function pinnedMapUses(pins: PinDirectory): ReadonlyMap<string, MapUse> {
  const pinned = new Set(pins.names("maps"));
  const uses = new Map<string, MapUse>();
  for (const definition of loadBalancerMaps.filter(({ name, type }) => pinned.has(name) && mapKind(type).counted)) {
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
