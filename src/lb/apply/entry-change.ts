/** Maps that hold exactly given entries: missing ones are added before services change, stale ones removed after. */
import type { MapKey, MapValue, TypedMap } from "../../loader/index.ts";
import type { MapDefinition } from "../../types/index.ts";
import { LoadBalancerError } from "../model/index.ts";

type Entry<D extends MapDefinition> = readonly [key: MapKey<D>, value: MapValue<D>];

/** The part of a map's handle that `EntryChange` uses. */
export type ChangedMap<D extends MapDefinition = MapDefinition> = Pick<
  TypedMap<MapKey<D>, MapValue<D>>,
  "name" | "maxEntries" | "setMany" | "deleteMany"
> &
  Iterable<Entry<D>>;

/** The change from what a map holds to what it should hold. Only differences are written. */
export class EntryChange<D extends MapDefinition = MapDefinition> {
  readonly #map: ChangedMap<D>;
  readonly #before: readonly Entry<D>[];
  readonly #missing: readonly Entry<D>[];
  readonly #stale: readonly MapKey<D>[];

  /** @throws {LoadBalancerError} if the map cannot hold the entries */
  constructor(map: ChangedMap<D>, entries: readonly Entry<D>[]) {
    this.#map = map;
    this.#before = [...map];
    const wanted = new Map(entries.map(([key, value]) => [textOf(key), [key, value] as const]));
    const stored = new Map(this.#before.map(([key, value]) => [textOf(key), value]));
    if (wanted.size > map.maxEntries) {
      throw new LoadBalancerError(
        `map ${map.name} has room for ${map.maxEntries} entries, but ${wanted.size} are needed`,
        { hint: "nothing was changed" },
      );
    }
    this.#missing = [...wanted].filter(([text, [, value]]) => stored.get(text) !== value).map(([, entry]) => entry);
    this.#stale = this.#before.filter(([key]) => !wanted.has(textOf(key))).map(([key]) => key);
  }

  /** Adds the missing entries. Removes the stale ones first if the map cannot hold both. @throws {BpfError} */
  add(): void {
    if (this.#before.length + this.#missing.length > this.#map.maxEntries) this.remove();
    this.#map.setMany(this.#missing);
  }

  /** Removes the stale entries. @throws {BpfError} */
  remove(): void {
    this.#map.deleteMany(this.#stale);
  }

  /** The change back to the former entries. @throws {BpfError} */
  reversed(): EntryChange<D> {
    return new EntryChange(this.#map, this.#before);
  }
}

/** A key as text: a number, or a struct of numbers and addresses. */
function textOf(key: unknown): string {
  return typeof key === "object" && key !== null ? Object.values(key).join("/") : String(key);
}
