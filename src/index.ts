/**
 * tsbpf: BPF programs written in TypeScript.
 *
 * Schemas and maps (types), programs (dsl), the raw assembler (asm), and what
 * brings them into the kernel (loader, which needs Linux only when it is used).
 */
import "./one-copy.ts";
export * from "./types/index.ts";
export * from "./dsl/index.ts";
export type { CompilableProgram, Program, ProgramFunction } from "./asm/index.ts";
export * as asm from "./asm/index.ts";
export * from "./loader/index.ts";
/** What the kernel's refusals are thrown as. */
export { BpfError, VerifierError } from "./kernel/index.ts";
