import type { Instruction } from "../asm/instruction.ts";
import type { AttachType, ProgramType } from "./bpf.ts";
import type { MapDefinition } from "./map.ts";

/**
 * A program that is ready to be loaded, simulated or written to an object file:
 * what the compiler gives, and what the raw assembler's `program()` gives.
 */
export interface Program {
  /** Name shown by the kernel, which keeps the first 15 bytes. */
  readonly name: string;
  readonly type: ProgramType;
  /** The hook that the verifier checks against; absent for types that have none. */
  readonly expectedAttachType?: AttachType;
  /** libbpf's section name for the hook: `cgroup/connect4`, `xdp`, … */
  readonly section: string;
  /** Labels resolved; references to maps and the like still open. */
  readonly instructions: readonly Instruction[];
  /**
   * The functions of the program, the main one first: index of each one's first
   * instruction (an `lddw` counts as one).
   */
  readonly functions: readonly ProgramFunction[];
  /** Every map that an instruction refers to. */
  readonly maps: readonly MapDefinition[];
  /** Licence told to the kernel; some helpers ask for a GPL-compatible one. */
  readonly license: string;
}

export interface ProgramFunction {
  readonly name: string;
  readonly start: number;
}

/** A program that is yet to be compiled, such as the DSL's functions give: for the instruction set of whoever is to run it. */
export interface CompilableProgram {
  /** `isa`: version of the instruction set, as in clang's `-mcpu=v3`. */
  compile(options?: { readonly isa?: 1 | 2 | 3 | 4 }): Program;
}
