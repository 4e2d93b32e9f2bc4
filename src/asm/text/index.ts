/** Assembly as text, printed and parsed in the syntax of the verifier's log and of LLVM. */
export { formatInstruction } from "./print.ts";
export { formatListing, type ListingOptions } from "./listing.ts";
export { parseAssembly, type ParseOptions } from "./parse.ts";
export { AsmSyntaxError } from "./syntax-error.ts";
export { assembleText, type AssembleTextOptions } from "./assemble-text.ts";
