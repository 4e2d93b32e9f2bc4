/** Looking into the maps of a load balancer that is loaded. */
import { connected } from "../../../programs/maps.ts";
import { checkManager, PinDirectory, type TypedMap } from "../../loader/index.ts";
import { MapType, type MapDefinition } from "../../types/index.ts";
import { nearest } from "../model/nearest.ts";
import { LoadBalancerError } from "../model/error.ts";
import { pinnedMapUses, type MapUse } from "./map-use.ts";
import { familyMaps, loadBalancerMaps } from "../apply/maps.ts";
import { nothingLoaded, OWNER } from "../apply/pins.ts";
import { mapTypeText } from "./status.ts";

export interface PinnedMap {
  readonly name: string;
  readonly id: number;
  /** `lru_hash`, … */
  readonly type: string;
  /** The schemas' names. */
  readonly key: string;
  readonly value: string;
  /** Undefined where every element is there from the start, or they hang on sockets. */
  readonly use: MapUse | undefined;
  readonly maxEntries: number;
}

/** A map whose elements can be read. */
export interface OpenMap extends Disposable {
  /** Every element; of an array those that are not all zero, unless `zeroes` are asked for. */
  elements(options: { zeroes: boolean }): Iterable<readonly [key: unknown, value: unknown]>;
}

/** @throws {LoadBalancerError} where nothing is loaded */
export function pinnedMaps(directory: string): PinnedMap[] {
  const pins = openPins(directory);
  const pinned = new Set(pins.names("maps"));
  const uses = pinnedMapUses(pins);
  return loadBalancerMaps
    .filter(({ name }) => pinned.has(name))
    .map((definition) => {
      using map = pins.map(definition);
      return {
        name: definition.name,
        id: pins.mapInfo(definition.name).id,
        type: mapTypeText(definition.type),
        key: definition.key.toString(),
        value: definition.value.toString(),
        use: uses.get(definition.name),
        maxEntries: map.maxEntries,
      };
    });
}

/** Where what sockets' storage tells is found too. */
const storageHints = new Map<string, string>([
  ...Object.values(familyMaps).flatMap(({ flows, olderFlows, reverseSk }) => [
    [
      flows.name,
      `the flows of UDP sockets are in ${reverseSk.name} too, unless options.reverseEntries is older`,
    ] as const,
    [olderFlows.name, `the entries that it names are in ${reverseSk.name}`] as const,
  ]),
  [
    connected.name,
    `the sockets that it marks are in ${familyMaps.ipv4.connections.name} or ${familyMaps.ipv6.connections.name}`,
  ],
]);

/** @throws {LoadBalancerError} where nothing is loaded, or there is no such map, or its elements cannot be listed */
export function openPinnedMap(directory: string, name: string): OpenMap {
  const pins = openPins(directory);
  const pinned = new Set(pins.names("maps"));
  const definition = loadBalancerMaps.find((map) => map.name === name);
  if (definition !== undefined && !pinned.has(name)) {
    throw new LoadBalancerError(`map ${name} is not there: nothing that is loaded makes use of it`, {
      hint: "tsbpf map list shows those that are there",
    });
  }
  const names = loadBalancerMaps.map((map) => map.name).filter((other) => pinned.has(other));
  if (definition === undefined) {
    const suggestion = nearest(name, names);
    throw new LoadBalancerError(`there is no map ${JSON.stringify(name)}`, {
      hint: suggestion === undefined ? `there are ${names.join(", ")}` : `did you mean ${suggestion}?`,
    });
  }
  if (definition.type === MapType.SK_STORAGE) {
    throw new LoadBalancerError(`the elements of map ${name} hang on sockets, and cannot be listed`, {
      hint: storageHints.get(name),
    });
  }
  const map: TypedMap<unknown, unknown> = pins.map(definition as MapDefinition);
  return {
    *elements({ zeroes }) {
      const bytes = new Uint8Array(definition.value.size);
      const view = new DataView(bytes.buffer);
      for (const element of map.entries()) {
        if (!zeroes && definition.type === MapType.ARRAY) {
          definition.value.write(view, 0, element[1]);
          if (bytes.every((byte) => byte === 0)) continue;
        }
        yield element;
      }
    },
    [Symbol.dispose]: () => map.close(),
  };
}

function openPins(directory: string): PinDirectory {
  checkManager();
  const pins = PinDirectory.open(directory, OWNER);
  if (pins !== undefined) return pins;
  throw nothingLoaded(directory);
}
