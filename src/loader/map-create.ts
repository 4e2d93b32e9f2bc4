/** Creates maps from their declarations. */
import { mapBtf } from "../btf/index.ts";
import { BpfError, type Fd, type Kernel, type MapInfo } from "../kernel/index.ts";
import { MapFlag, mapKind, mapTypeName, UpdateFlag, type MapDefinition } from "../types/index.ts";
import { acceptedBtf } from "./accepted-btf.ts";
import { LoaderError } from "./error.ts";

/** Flags of a descriptor rather than of the map. */
const DESCRIPTOR_FLAGS: number = MapFlag.RDONLY | MapFlag.WRONLY;

/** Bytes of a value for the kernel; 0 for a ring buffer, whose records are not values. */
const valueSize = (definition: MapDefinition): number =>
  mapKind(definition.type).untypedRecords ? 0 : definition.value.size;

/**
 * Creates a map with its initial value. The map has BTF if its type needs it, or if requested and accepted by
 * the kernel.
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
  const needed = mapKind(definition.type).btf === "required";
  if (!withBtf && !needed) return create();
  let types: { fd: Fd; keyTypeId: number; valueTypeId: number } | undefined;
  try {
    types = acceptedBtf((features) => mapBtf(definition, { features }), `map ${definition.name}`, kernel);
    return create(types);
  } catch (error) {
    // The kernel may have refused the BTF or something else: a try without BTF gives the reason.
    if (needed || !(error instanceof BpfError)) throw error;
    return create();
  } finally {
    types?.fd.close();
  }
}

/** Writes the initial value of a new map, and freezes the map if declared so. */
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

/** The differences of an existing map from a declaration; empty if it can serve as that map. */
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
    .map(([point, is, asked]) => `its ${point} is ${show(point, is)}, not ${show(point, asked)}`);
}

function show(point: string, value: number): string {
  if (point !== "type") return String(value);
  return mapTypeName(value);
}

/**
 * Checks a pinned map against its declaration.
 * @throws {LoaderError} listing every difference
 */
export function checkPinnedMap(info: MapInfo, definition: MapDefinition, path: string): void {
  const differences = mapDifferences(info, definition);
  if (differences.length === 0) return;
  throw new LoaderError(`cannot use the map pinned at ${path} as map ${definition.name}: ${differences.join("; ")}`, {
    hint: "remove the old one first (tsbpf unload), or declare the same",
  });
}
