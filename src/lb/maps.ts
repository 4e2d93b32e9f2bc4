/** The load balancer's maps in user space, those among them that no program reads. */
import * as declared from "../../programs/maps.ts";
import type { MapHandle } from "../loader/index.ts";
import { array, hash, MapFlag, SchemaError, struct, u16, u32, u8, type ArraySchema, type MapDefinition } from "../types/index.ts";
import { MAX_NAME_BYTES } from "./service.ts";

/** UTF-8 in `size` bytes, filled up with zero bytes; a string in user space. */
function text(size: number): ArraySchema<typeof u8, string> {
  return {
    kind: "array",
    element: u8,
    length: size,
    size,
    align: 1,
    read(view, offset) {
      const bytes = new Uint8Array(view.buffer, view.byteOffset + offset, size);
      const end = bytes.indexOf(0);
      return new TextDecoder().decode(bytes.subarray(0, end < 0 ? size : end));
    },
    write(view, offset, value) {
      const bytes = new TextEncoder().encode(value);
      if (bytes.length > size) throw new SchemaError(`${JSON.stringify(value)} takes ${bytes.length} bytes, but ${this} holds ${size}`);
      const target = new Uint8Array(view.buffer, view.byteOffset + offset, size);
      target.fill(0);
      target.set(bytes);
    },
    toString: () => `char[${size}]`,
  };
}

/**
 * Names of services. No program reads it: a name is for people, and would only
 * make the services map's values larger for every connect. It is a map, pinned
 * beside the others, because all other state is there too: what survives the
 * command, what a later version takes over, and what unloading takes away.
 * Memory is taken for the names that exist, not for the map's size.
 */
export const serviceNames = hash("service_names", {
  key: declared.services.key,
  value: struct("lb4_service_name", { name: text(MAX_NAME_BYTES + 1) }),
  maxEntries: 65_536,
  flags: MapFlag.NO_PREALLOC,
});

/**
 * Where allocation goes on. No program reads it. Kept so that slots and indices
 * come into use again as late as can be, over many runs of the command too.
 */
export const allocation = array("allocation", {
  value: struct("lb4_allocation", { nextSlot: u32, nextRevNatIndex: u16 }),
  maxEntries: 1,
});

/** All of them, in the order in which they are shown. Those of IPv6 are there only where it is balanced. */
export const loadBalancerMaps: readonly MapDefinition[] = [
  ...Object.values(declared.maps4), ...Object.values(declared.maps6), declared.generation, serviceNames, allocation,
];

/** The maps that services are written to and read from. */
export interface ControlMaps {
  readonly services: MapHandle<typeof declared.services>;
  readonly slots: MapHandle<typeof declared.slots>;
  readonly backends: MapHandle<typeof declared.backends>;
  readonly generation: MapHandle<typeof declared.generation>;
  readonly serviceNames: MapHandle<typeof serviceNames>;
  readonly allocation: MapHandle<typeof allocation>;
}

/** Opens the control plane's maps where `source` has them: pinned, or in a collection. */
export function controlMaps(source: { map<D extends MapDefinition>(definition: D): MapHandle<D> }): ControlMaps {
  return {
    services: source.map(declared.services),
    slots: source.map(declared.slots),
    backends: source.map(declared.backends),
    generation: source.map(declared.generation),
    serviceNames: source.map(serviceNames),
    allocation: source.map(allocation),
  };
}
