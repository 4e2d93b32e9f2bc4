/** BTF: the types, functions and source lines that the kernel and its tools show. */
export { BtfError } from "./format.ts";
export { allBtfFeatures, type BtfFeatures } from "./features.ts";
export { mapBtf, type MapBtf } from "./map.ts";
export { btfProbes } from "./probes.ts";
export { programBtf, type ProgramBtf, type ProgramBtfOptions } from "./program.ts";
