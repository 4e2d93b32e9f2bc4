/** The compiler: from the intermediate form to instructions. */
export { compile, type CompiledCode, type CompileOptions } from "./compile.ts";
export type * from "./ir/ir.ts";
export { printModule } from "./ir/print.ts";
export { CompileError } from "./error.ts";
export type { InstructionSet } from "./instruction-set.ts";
export { STACK_LIMIT } from "./machine/frame.ts";
