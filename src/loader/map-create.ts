/** Maps, from their declaration to the kernel. */
import { mapBtf } from "../btf/index.ts";
import { BpfError, type Fd, type Kernel, type MapInfo } from "../kernel/index.ts";
import { MapFlag, MapType, UpdateFlag, type MapDefinition } from "../types/index.ts";
import { acceptedBtf } from "./accepted-btf.ts";
import { LoaderError } from "./error.ts";

/** Map types that the kernel creates only with BTF. */
const NEEDS_BTF: ReadonlySet<MapType> = new Set<MapType>([
  MapType.SK_STORAGE,
  MapType.INODE_STORAGE,
  MapType.TASK_STORAGE,
  MapType.CGRP_STORAGE,
]);

/** Flags that go with a descriptor, not with the map. */
const DESCRIPTOR_FLAGS: number = MapFlag.RDONLY | MapFlag.WRONLY;

/** Bytes of a value as the kernel counts them: a ring buffer's records are no values. */
const valueSize = (definition: MapDefinition): number =>
  definition.type === MapType.RINGBUF ? 0 : definition.value.size;

/**
 * Creates a map, with its first value; with BTF where that is asked for and the
 * kernel takes it, or where the type needs it.
 * @throws {BpfError}
 */
export function createDeclaredMap(definition: MapDefinition, kernel: Kernel, withBtf: boolean): Fd {
  const create = (btf?: { fd: Fd; keyTypeId: number; valueTypeId: number }) =>
    filled(
      definition,
      kernel,
      kernel.createMap({
        name: definition.name,
        type: definition.type,
        keySize: definition.key.size,
        valueSize: valueSize(definition),
        maxEntries: definition.maxEntries,
        flags: definition.flags,
        ...(btf && { btf }),
      }),
    );
  const needed = NEEDS_BTF.has(definition.type);
  if (!withBtf && !needed) return create();
  let types: { fd: Fd; keyTypeId: number; valueTypeId: number } | undefined;
  try {
    types = acceptedBtf((features) => mapBtf(definition, { features }), `map ${definition.name}`, kernel);
    return create(types);
  } catch (error) {
    // Refused for its BTF, or for something else: without BTF the kernel says which.
    if (needed || !(error instanceof BpfError)) throw error;
    return create();
  } finally {
    types?.fd.close();
  }
}

/** A new map with the value that it is to begin with, closed to further writing if that is asked for. */
function filled(definition: MapDefinition, kernel: Kernel, fd: Fd): Fd {
  const { name, type, maxEntries, key, value, initialValue, frozen } = definition;
  try {
    if (initialValue !== undefined) {
      const elements = kernel.mapElements(fd, { name, type, keySize: key.size, valueSize: value.size, maxEntries });
      elements.value.set(initialValue);
      elements.update(UpdateFlag.ANY);
    }
    if (frozen === true) kernel.freezeMap(fd);
    return fd;
  } catch (error) {
    fd.close();
    throw error;
  }
}

/** In which points a map that exists differs from a declaration; empty where the one can stand for the other. */
export function mapDifferences(info: MapInfo, definition: MapDefinition): string[] {
  const points: readonly (readonly [string, number, number])[] = [
    ["type", info.type, definition.type],
    ["key size", info.keySize, definition.key.size],
    ["value size", info.valueSize, valueSize(definition)],
    ["max entries", info.maxEntries, definition.maxEntries],
    ["flags", info.flags & ~DESCRIPTOR_FLAGS, definition.flags & ~DESCRIPTOR_FLAGS],
  ];
  return points
    .filter(([, is, asked]) => is !== asked)
    .map(([point, is, asked]) => `its ${point} is ${show(point, is)}, and ${show(point, asked)} is asked for`);
}

function show(point: string, value: number): string {
  if (point !== "type") return String(value);
  return Object.entries(MapType).find(([, number]) => number === value)?.[0] ?? String(value);
}

/**
 * Checks that a pinned map is the one declared.
 * @throws {LoaderError} naming every difference
 */
export function checkPinnedMap(info: MapInfo, definition: MapDefinition, path: string): void {
  const differences = mapDifferences(info, definition);
  if (differences.length === 0) return;
  throw new LoaderError(`map ${definition.name}: the one pinned at ${path} cannot be used: ${differences.join("; ")}`, {
    hint: "take the old one away first (tsbpf unload), or ask for the same",
  });
}
