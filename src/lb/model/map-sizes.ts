/** The maps whose sizes users can choose. */
import { maps4, maps6 } from "../../../programs/index.ts";

const sizedMaps = [maps4, maps6].flatMap(({ services, slots, backends, affinity, connections, reverseSk }) => [
  services,
  slots,
  backends,
  affinity,
  connections,
  reverseSk,
]);

/** Numbers of entries by map name. */
export type MapSizes = Readonly<Record<string, number>>;

/** The sizes of maps that a configuration leaves open. */
export const defaultMapSizes: MapSizes = Object.fromEntries(
  sizedMaps.map(({ name, maxEntries }) => [name, maxEntries]),
);
