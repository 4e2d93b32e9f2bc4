/** The load balancer's maps in user space, with those that no program reads. */
import * as declared from "../../../programs/index.ts";
import type { MapHandle } from "../../loader/index.ts";
import {
  array,
  hash,
  MapFlag,
  SchemaError,
  struct,
  u16,
  u32,
  u64,
  u8,
  type ArraySchema,
  type MapDefinition,
} from "../../types/index.ts";
import { MAX_NAME_BYTES, type AddressFamily, type MapSizes } from "../model/index.ts";

/** UTF-8 text in `size` bytes, padded with zero bytes. A string in user space. */
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
 * others, so that all state is in one place: it survives the process, a later
 * version takes it over, and unloading removes it. Memory is allocated per
 * entry, whatever the maps' sizes.
 */
function keptMaps(maps: declared.Maps, { prefix, suffix }: { prefix: string; suffix: string }) {
  return {
    /** Names of services. They are for users only, so the services map, which every call reads, does without them. */
    serviceNames: hash(`service_names${suffix}`, {
      key: maps.services.key,
      value: struct(`${prefix}_service_name`, { name: text(MAX_NAME_BYTES + 1) }),
      maxEntries: maps.services.maxEntries,
      flags: MapFlag.NO_PREALLOC,
    }),
    /** Weights other than 1 and backends out of service: what slots and members do not show. */
    backendSettings: hash(`backend_settings${suffix}`, {
      key: maps.backends.key,
      value: struct(`${prefix}_backend_setting`, { weight: u32, state: u32 }),
      maxEntries: maps.backends.maxEntries,
      flags: MapFlag.NO_PREALLOC,
    }),
    /** Where the next allocation starts, so that slots and indices are reused late, across processes too. */
    allocation: array(`allocation${suffix}`, {
      value: struct(`${prefix}_allocation`, { nextSlot: u32, nextRevNatIndex: u16 }),
      maxEntries: 1,
    }),
  };
}

/** Every map of each address family. */
export const familyMaps = {
  ipv4: { ...declared.maps4, ...keptMaps(declared.maps4, { prefix: "lb4", suffix: "" }) },
  ipv6: { ...declared.maps6, ...keptMaps(declared.maps6, { prefix: "lb6", suffix: "6" }) },
} as const satisfies Record<AddressFamily, unknown>;

/** The maps of a family that are created even if no program refers to them. */
export function mapsWithoutPrograms(family: AddressFamily): readonly MapDefinition[] {
  const maps = familyMaps[family];
  const { services, serviceFilter, slots, backends, serviceNames, backendSettings, allocation } = maps;
  return [services, serviceFilter, slots, backends, serviceNames, backendSettings, allocation];
}

/** The most bytes of a build as text. */
export const MAX_OPTIONS_BYTES = 4096;

/** The options that the programs were built for, as JSON: versions add and drop options without changing the map. */
export const builtOptions = array("options", {
  value: struct("lb_options", { json: text(MAX_OPTIONS_BYTES) }),
  maxEntries: 1,
});

/**
 * Ports that were reserved in the kernel for node ports and host ports, with
 * the cookie of the network namespace. Ports that were reserved before are not here.
 */
export const reservedPortsMap = hash("reserved_ports", {
  key: u32,
  value: struct("lb_reserved_port", { netnsCookie: u64 }),
  maxEntries: 65_536,
  flags: MapFlag.NO_PREALLOC,
});

/** Every map, in the order of display. IPv6 maps exist only if IPv6 is balanced. */
export const loadBalancerMaps: readonly MapDefinition[] = [
  ...Object.values(familyMaps.ipv4),
  ...Object.values(familyMaps.ipv6),
  declared.connected,
  declared.sources,
  declared.optOutNamespaces,
  declared.optOutCgroups,
  declared.generation,
  reservedPortsMap,
  builtOptions,
];

type DeclaredMaps = (typeof familyMaps)["ipv4"];

/** Handles of the maps that hold the services of a family. */
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

/** Handles of these maps for all balanced families. */
export interface ControlMaps {
  readonly generation: MapHandle<typeof declared.generation>;
  readonly families: ReadonlyMap<AddressFamily, FamilyMaps>;
}

/** Opens the maps that hold the services, from pins or from a collection. */
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

/** Sizes of all maps by name. A map that accompanies another is as large as that one. */
export function mapSizes(chosen: MapSizes): MapSizes {
  const sizes: Record<string, number> = { ...chosen };
  for (const { services, serviceNames, backends, backendSettings } of Object.values(familyMaps)) {
    sizes[serviceNames.name] = sizes[services.name]!;
    sizes[backendSettings.name] = sizes[backends.name]!;
  }
  return sizes;
}
