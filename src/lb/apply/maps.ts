/** The load balancer's maps in user space, those among them that no program reads. */
import * as declared from "../../../programs/maps.ts";
import type { MapHandle } from "../../loader/index.ts";
import {
  array,
  hash,
  MapFlag,
  SchemaError,
  struct,
  u16,
  u32,
  u8,
  type ArraySchema,
  type MapDefinition,
} from "../../types/index.ts";
import { MAX_NAME_BYTES, type AddressFamily } from "../model/service.ts";

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
      if (bytes.length > size)
        throw new SchemaError(`${JSON.stringify(value)} takes ${bytes.length} bytes, but ${this} holds ${size}`);
      const target = new Uint8Array(view.buffer, view.byteOffset + offset, size);
      target.fill(0);
      target.set(bytes);
    },
    toString: () => `char[${size}]`,
  };
}

/**
 * Maps of an address family that no program reads. They are pinned beside the
 * others, because all other state is there too: what survives the command, what
 * a later version takes over, and what unloading takes away. Memory is taken for
 * the names and settings that exist, not for the maps' sizes.
 */
function keptMaps(maps: declared.Maps, { prefix, suffix }: { prefix: string; suffix: string }) {
  return {
    /** Names of services. A name is for people, and would only make the services map's values larger for every connect. */
    serviceNames: hash(`service_names${suffix}`, {
      key: maps.services.key,
      value: struct(`${prefix}_service_name`, { name: text(MAX_NAME_BYTES + 1) }),
      maxEntries: maps.services.maxEntries,
      flags: MapFlag.NO_PREALLOC,
    }),
    /** Weights other than 1, and backends that are out of service: what slots and members do not tell. */
    backendSettings: hash(`backend_settings${suffix}`, {
      key: maps.backends.key,
      value: struct(`${prefix}_backend_setting`, { weight: u32, state: u32 }),
      maxEntries: maps.backends.maxEntries,
      flags: MapFlag.NO_PREALLOC,
    }),
    /** Where allocation goes on. Kept so that slots and indices come into use again as late as can be, over many runs of the command too. */
    allocation: array(`allocation${suffix}`, {
      value: struct(`${prefix}_allocation`, { nextSlot: u32, nextRevNatIndex: u16 }),
      maxEntries: 1,
    }),
  };
}

/** All maps of each address family. */
export const familyMaps = {
  ipv4: { ...declared.maps4, ...keptMaps(declared.maps4, { prefix: "lb4", suffix: "" }) },
  ipv6: { ...declared.maps6, ...keptMaps(declared.maps6, { prefix: "lb6", suffix: "6" }) },
} as const satisfies Record<AddressFamily, unknown>;

/** Those of a family that are made though no program refers to them. */
export function mapsWithoutPrograms(family: AddressFamily): readonly MapDefinition[] {
  const { services, serviceFilter, slots, backends, serviceNames, backendSettings, allocation } = familyMaps[family];
  return [services, serviceFilter, slots, backends, serviceNames, backendSettings, allocation];
}

/** Bytes that options may take as text. */
export const MAX_OPTIONS_BYTES = 4096;

/** What the programs were built for, as text: options come and go from version to version, and the map stays as it is. */
export const builtOptions = array("options", {
  value: struct("lb_options", { json: text(MAX_OPTIONS_BYTES) }),
  maxEntries: 1,
});

/** All of them, in the order in which they are shown. Those of IPv6 are there only where it is balanced. */
export const loadBalancerMaps: readonly MapDefinition[] = [
  ...Object.values(familyMaps.ipv4),
  ...Object.values(familyMaps.ipv6),
  declared.connected,
  declared.sources,
  declared.optOutNamespaces,
  declared.optOutCgroups,
  declared.generation,
  builtOptions,
];

type DeclaredMaps = (typeof familyMaps)["ipv4"];

/** The maps that the services of a family are written to and read from. */
export type FamilyMaps = {
  readonly [K in
    | "services"
    | "serviceFilter"
    | "slots"
    | "backends"
    | "serviceNames"
    | "backendSettings"
    | "allocation"]: MapHandle<DeclaredMaps[K]>;
};

/** The same of all families that are balanced. */
export interface ControlMaps {
  readonly generation: MapHandle<typeof declared.generation>;
  readonly families: ReadonlyMap<AddressFamily, FamilyMaps>;
}

/** Opens the control plane's maps where `source` has them: pinned, or in a collection. */
export function controlMaps(
  source: { map<D extends MapDefinition>(definition: D): MapHandle<D> },
  families: readonly AddressFamily[],
): ControlMaps {
  return {
    generation: source.map(declared.generation),
    families: new Map(
      families.map((family): [AddressFamily, FamilyMaps] => {
        const maps = familyMaps[family];
        return [
          family,
          {
            services: source.map(maps.services),
            serviceFilter: source.map(maps.serviceFilter),
            slots: source.map(maps.slots),
            backends: source.map(maps.backends),
            serviceNames: source.map(maps.serviceNames),
            backendSettings: source.map(maps.backendSettings),
            allocation: source.map(maps.allocation),
          },
        ];
      }),
    ),
  };
}
