import { mapKind, type MapDefinition, type MapType } from "../types/index.ts";
import { BtfBuilder } from "./builder.ts";
import type { BtfFeatures } from "./features.ts";
import { addSchema } from "./schema.ts";

/** The types of a map for `BPF_MAP_CREATE`. */
export interface MapBtf {
  /** For `BPF_BTF_LOAD`. */
  readonly btf: Uint8Array;
  /** For `btf_key_type_id`. */
  readonly keyTypeId: number;
  /** For `btf_value_type_id`. */
  readonly valueTypeId: number;
}

/** Whether the kernel accepts key and value types for a map of this type. */
export function mapTypeTakesBtf(type: MapType): boolean {
  return mapKind(type).btf !== "refused";
}

/**
 * The BTF to create a map with: tools show its elements by field name. Socket
 * storage and its like need it.
 *
 * @returns undefined if the kernel accepts no types for maps of this type
 */
export function mapBtf(definition: MapDefinition, options: { features?: BtfFeatures } = {}): MapBtf | undefined {
  if (!mapTypeTakesBtf(definition.type)) return undefined;
  const builder = new BtfBuilder();
  const keyTypeId = addSchema(builder, definition.key);
  const valueTypeId = addSchema(builder, definition.value);
  return { btf: builder.encode(options.features), keyTypeId, valueTypeId };
}
