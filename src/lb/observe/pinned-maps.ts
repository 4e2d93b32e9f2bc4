/** Reads the maps of a loaded load balancer. */
import { connected } from "../../../programs/index.ts";
import { checkManager, PinDirectory, type TypedMap } from "../../loader/index.ts";
import { mapKind, type MapDefinition } from "../../types/index.ts";
import { familyMaps, loadBalancerMaps, nothingLoaded, OWNER } from "../apply/index.ts";
import { LoadBalancerError, nearest } from "../model/index.ts";
import { pinnedMapUses, type MapUse } from "./map-use.ts";
import { mapTypeText } from "./status.ts";

/** A pinned map. */
export interface PinnedMap {
  readonly name: string;
  readonly id: number;
  /** `lru_hash`, … */
  readonly type: string;
  /** Names of the schemas. */
  readonly key: string;
  readonly value: string;
  /** Undefined if all elements always exist, or if they belong to sockets. */
  readonly use: MapUse | undefined;
  readonly maxEntries: number;
}

/** An open map. */
export interface OpenMap extends Disposable {
  /** Iterates over the elements. With `zeroes` false, it skips array elements that are all zero. */
  elements(options: { zeroes: boolean }): Iterable<readonly [key: unknown, value: unknown]>;
}

/**
 * Lists the pinned maps.
 * @param directory the pin directory
 * @throws {LoadBalancerError} if nothing is loaded
 *
 * @example
 * ```ts
 * import { pinnedMaps } from "tsbpf/lb";
 *
 * for (const { name, use, maxEntries } of pinnedMaps("/sys/fs/bpf/tsbpf")) console.log(name, use?.used, maxEntries);
 * ```
 */
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

/** For maps of socket storage, where their content is visible. */
const storageHints = new Map<string, string>([
  ...Object.values(familyMaps).flatMap(({ flows, reverseSk }) => [
    [flows.name, `${reverseSk.name} has the flows of UDP sockets too, unless options.reverseEntries is older`] as const,
  ]),
  [
    connected.name,
    `${familyMaps.ipv4.connections.name} and ${familyMaps.ipv6.connections.name} have the sockets that it marks`,
  ],
]);

/**
 * Opens a pinned map.
 * @param directory the pin directory
 * @throws {LoadBalancerError} if nothing is loaded, there is no such map, or its elements cannot be listed
 *
 * @example
 * ```ts
 * import { openPinnedMap } from "tsbpf/lb";
 *
 * using services = openPinnedMap("/sys/fs/bpf/tsbpf", "services");
 * for (const [key, value] of services.elements({ zeroes: false })) console.log(key, value);
 * ```
 */
export function openPinnedMap(directory: string, name: string): OpenMap {
  const pins = openPins(directory);
  const pinned = new Set(pins.names("maps"));
  const definition = loadBalancerMaps.find((map) => map.name === name);
  if (definition !== undefined && !pinned.has(name)) {
    throw new LoadBalancerError(`cannot open map ${name}: the loaded programs do not use it`, {
      hint: "tsbpf map list shows the maps",
    });
  }
  const names = loadBalancerMaps.map((map) => map.name).filter((other) => pinned.has(other));
  if (definition === undefined) {
    const suggestion = nearest(name, names);
    throw new LoadBalancerError(`there is no map ${JSON.stringify(name)}`, {
      hint: suggestion === undefined ? `there are ${names.join(", ")}` : `did you mean ${suggestion}?`,
    });
  }
  if (mapKind(definition.type).elements === "owned") {
    throw new LoadBalancerError(`cannot list the elements of map ${name}: they belong to sockets`, {
      hint: storageHints.get(name),
    });
  }
  const map: TypedMap<unknown, unknown> = pins.map(definition as MapDefinition);
  return {
    *elements({ zeroes }) {
      const bytes = new Uint8Array(definition.value.size);
      const view = new DataView(bytes.buffer);
      for (const element of map.entries()) {
        if (!zeroes && mapKind(definition.type).elements === "indexed") {
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
