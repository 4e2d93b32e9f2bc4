import { mapKind, type MapDefinition, type MapType } from "../types/index.ts";
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

/** Whether the kernel takes key and value types with a map of this type. */
export function mapTypeTakesBtf(type: MapType): boolean {
  return mapKind(type).btf !== "refused";
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
