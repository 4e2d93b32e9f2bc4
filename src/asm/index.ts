/** The raw assembler: instructions as values, as bytes and as text (RFC 9669). */
import "../one-copy.ts";
export {
  isLabel,
  type Instruction,
  type Item,
  type Label,
  type Reference,
  type RegisterNumber,
  placeName,
  type SourceLocation,
} from "./instruction.ts";
export { makeInstruction } from "./make.ts";
export * as opcodes from "./opcode.ts";
export { AsmError } from "./error.ts";
export {
  r0,
  r1,
  r10,
  r2,
  r3,
  r4,
  r5,
  r6,
  r7,
  r8,
  r9,
  registers,
  registers32,
  w0,
  w1,
  w10,
  w2,
  w3,
  w4,
  w5,
  w6,
  w7,
  w8,
  w9,
  type Register,
  type Register32,
} from "./register.ts";
export * from "./operations/index.ts";
export { assemble, assembleWithLabels, type Assembled, type AssembleOptions } from "./assemble.ts";
export { encode, isWide, slotCount, SLOT_SIZE } from "./encode.ts";
export { decode } from "./decode.ts";
export { program, type CompilableProgram, type Program, type ProgramFunction, type ProgramParts } from "./program.ts";
export {
  helperFacts,
  helperName,
  helperNames,
  helperNumber,
  type ArgumentKind,
  type HelperFacts,
  type HelperName,
  type HelperTable,
  type ReturnKind,
} from "./helpers/index.ts";
export * from "./text/index.ts";
