/** Maps that hold exactly what they are given: what is missing comes before services change, what is left over goes after. */
import type { MapHandle, MapKey, MapValue } from "../../loader/index.ts";
import type { MapDefinition } from "../../types/index.ts";
import { LoadBalancerError } from "../model/error.ts";

/** What a map is to hold. */
export interface MapEntries<D extends MapDefinition = MapDefinition> {
  readonly definition: D;
  readonly entries: readonly Entry<D>[];
}

type Entry<D extends MapDefinition> = readonly [key: MapKey<D>, value: MapValue<D>];

/** What `EntryChange` needs of a map's handle. */
export type ChangedMap<D extends MapDefinition = MapDefinition> = Pick<
  MapHandle<D>,
  "name" | "maxEntries" | "setMany" | "deleteMany"
> &
  Iterable<Entry<D>>;

/** The way from what a map holds to what it is to hold; only differences are written. */
export class EntryChange<D extends MapDefinition = MapDefinition> {
  readonly #map: ChangedMap<D>;
  readonly #before: readonly Entry<D>[];
  readonly #missing: readonly Entry<D>[];
  readonly #stale: readonly MapKey<D>[];

  /** @throws {LoadBalancerError} where the map has not room for it */
  constructor(map: ChangedMap<D>, entries: readonly Entry<D>[]) {
    this.#map = map;
    this.#before = [...map];
    const wanted = new Map(entries.map(([key, value]) => [textOf(key), [key, value] as const]));
    const stored = new Map(this.#before.map(([key, value]) => [textOf(key), value]));
    if (wanted.size > map.maxEntries) {
      throw new LoadBalancerError(
        `map ${map.name} has room for ${map.maxEntries} entries, and ${wanted.size} are needed`,
        { hint: "nothing was changed" },
      );
    }
    this.#missing = [...wanted].filter(([text, [, value]]) => stored.get(text) !== value).map(([, entry]) => entry);
    this.#stale = this.#before.filter(([key]) => !wanted.has(textOf(key))).map(([key]) => key);
  }

  /** Adds what is missing; where there is not room for it beside what is left over, that goes first. @throws {BpfError} */
  add(): void {
    if (this.#before.length + this.#missing.length > this.#map.maxEntries) this.remove();
    this.#map.setMany(this.#missing);
  }

  /** Takes away what is left over. @throws {BpfError} */
  remove(): void {
    this.#map.deleteMany(this.#stale);
  }

  /** The way back, from what the map holds by now. @throws {BpfError} */
  reversed(): EntryChange<D> {
    return new EntryChange(this.#map, this.#before);
  }
}

/** Of a number, or of a struct of numbers and addresses. */
function textOf(key: unknown): string {
  return typeof key === "object" && key !== null ? Object.values(key).join("/") : String(key);
}
