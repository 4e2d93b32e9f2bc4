import { MapType, type MapDefinition } from "../types/index.ts";
import { BtfBuilder } from "./builder.ts";
import type { BtfFeatures } from "./features.ts";
import { addSchema } from "./schema.ts";

/** The types of a map, as `BPF_MAP_CREATE` takes them. */
export interface MapBtf {
  /** For `BPF_BTF_LOAD`. */
  readonly btf: Uint8Array;
  /** For `btf_key_type_id`. */
  readonly keyTypeId: number;
  /** For `btf_value_type_id`. */
  readonly valueTypeId: number;
}

/**
 * Map types whose creation the kernel refuses with key and value types
 * (`map_check_btf` in kernel/bpf/syscall.c; found by trying, and the same that
 * libbpf leaves out).
 */
const withoutTypes: ReadonlySet<MapType> = new Set([
  MapType.PERF_EVENT_ARRAY,
  MapType.CGROUP_ARRAY,
  MapType.STACK_TRACE,
  MapType.ARRAY_OF_MAPS,
  MapType.HASH_OF_MAPS,
  MapType.DEVMAP,
  MapType.DEVMAP_HASH,
  MapType.CPUMAP,
  MapType.XSKMAP,
  MapType.SOCKMAP,
  MapType.SOCKHASH,
  MapType.QUEUE,
  MapType.STACK,
  MapType.RINGBUF,
  MapType.USER_RINGBUF,
  MapType.ARENA,
]);

/** Whether the kernel takes key and value types with a map of this type. */
export function mapTypeTakesBtf(type: MapType): boolean {
  return !withoutTypes.has(type);
}

/**
 * The BTF to create a map with, so that its elements are shown by field name;
 * socket storage and the like cannot be created without.
 *
 * @returns undefined where the kernel takes no types with maps of this type.
 */
export function mapBtf(definition: MapDefinition, options: { features?: BtfFeatures } = {}): MapBtf | undefined {
  if (!mapTypeTakesBtf(definition.type)) return undefined;
  const builder = new BtfBuilder();
  const keyTypeId = addSchema(builder, definition.key);
  const valueTypeId = addSchema(builder, definition.value);
  return { btf: builder.encode(options.features), keyTypeId, valueTypeId };
}
