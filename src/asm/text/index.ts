/** Assembly as text: what the verifier's log and LLVM print, printed and read. */
export { formatInstruction } from "./print.ts";
export { formatListing, type ListingOptions } from "./listing.ts";
export { parseAssembly, type ParseOptions } from "./parse.ts";
export { AsmSyntaxError } from "./syntax-error.ts";
export { assembleText, type AssembleTextOptions } from "./assemble-text.ts";
