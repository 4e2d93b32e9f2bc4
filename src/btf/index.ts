/** BTF, the BPF Type Format: types, functions and source lines for the kernel and its tools. */
import "../one-copy.ts";
export { BtfError, type BtfKindName, type BtfLinkage } from "./format.ts";
export { Btf } from "./btf.ts";
export { BtfBuilder } from "./builder.ts";
export { areCompatible } from "./compatible.ts";
export { CoreKind, CoreRelocations, type CoreResult } from "./core-relocation.ts";
export { encodeBtfExt, parseBtfExt, type BtfExt, type CoreRecord, type ExtSection } from "./ext.ts";
export { essentialName } from "./flavour.ts";
export { allBtfFeatures, type BtfFeatures } from "./features.ts";
export { kernelBtf } from "./kernel.ts";
export { mapBtf, mapTypeTakesBtf, type MapBtf } from "./map.ts";
export { declaration, definition } from "./print.ts";
export { btfProbes } from "./probes.ts";
export {
  addFunctions,
  lineRecords,
  programBtf,
  slotOffsets,
  type ProgramBtf,
  type ProgramBtfOptions,
} from "./program.ts";
export { fieldOf, findMember, resolveType, sizeOf, skipModifiers, type FoundMember } from "./resolve.ts";
export { addArray, addSchema, identifier } from "./schema.ts";
export { bytes, schemaOf, sectionSchema, type SectionContent } from "./to-schema.ts";
export type { BtfComposite, BtfEnum, BtfInt, BtfMember, BtfParameter, BtfType } from "./type.ts";
export { sourcePath, SourceText } from "./source-text.ts";
