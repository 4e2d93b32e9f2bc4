/** The schema language: how data lies in memory, and maps made of it. */
export { AttachType, MapFlag, MapType, ProgramType, UpdateFlag } from "./bpf.ts";
export { Errno } from "./errno.ts";
export { decodeValue, encodeValue, SchemaError, type Infer, type Schema } from "./schema.ts";
export {
  be16,
  be32,
  be64,
  i16,
  i32,
  i64,
  i8,
  scalar,
  scalarShape,
  u16,
  u32,
  u64,
  u8,
  type BigEndianKind,
  type Constant,
  type ScalarKind,
  type ScalarSchema,
  type ScalarType,
  type WideKind,
} from "./scalar.ts";
export { arrayOf, type ArraySchema } from "./array.ts";
export {
  alignUp,
  struct,
  structWithLayout,
  type FieldLayout,
  type Fields,
  type InferFields,
  type StructSchema,
} from "./struct.ts";
export {
  isPerCpu,
  mapKind,
  mapTypeName,
  type MapKind,
  type MapOperation,
  type MapTypeOf,
  type MapTypeWith,
  type PerCpuMapType,
} from "./map-kinds.ts";
export { mapDifference, schemaDifference } from "./difference.ts";
export type { Mistake } from "./mistake.ts";
export { ipv4, ipv6, withoutMapping, type IpAddressSchema, type Ipv4Schema, type Ipv6Schema } from "./address.ts";
export {
  array,
  global,
  hash,
  lpmTrie,
  lruHash,
  lruPercpuHash,
  none,
  percpuArray,
  percpuHash,
  progArray,
  readOnlyGlobal,
  ringbuf,
  skStorage,
  withInitialValue,
  withMaxEntries,
  type GlobalVariable,
  type MapDefinition,
} from "./map.ts";
