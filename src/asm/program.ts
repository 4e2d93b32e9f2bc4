import type { AttachType, MapDefinition, ProgramType } from "../types/index.ts";
import { assembleWithLabels, type AssembleOptions } from "./assemble.ts";
import { AsmError } from "./error.ts";
import { isLabel, type Instruction, type Item } from "./instruction.ts";
import { CALL } from "./opcode.ts";

/**
 * A program that is ready to be loaded, simulated or written to an object file:
 * what the compiler gives, and what the raw assembler's `program()` gives.
 */
export interface Program<out T extends string = string> {
  /** Name shown by the kernel, which keeps the first 15 bytes. */
  readonly name: string;
  readonly type: ProgramType;
  /** The hook that the verifier checks against; absent for types that have none. */
  readonly expectedAttachType?: AttachType;
  /** The kind of target that the hook attaches to; absent where the program does not say. */
  readonly target?: T;
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
  /**
   * Why the program cannot be loaded: it came from an object file and uses
   * something that is not supported. Absent for every other program.
   */
  readonly unsupported?: Error;
}

/** A function of a program: the program itself, or a subprogram. */
export interface ProgramFunction {
  readonly name: string;
  readonly start: number;
}

/** A program that is yet to be compiled, such as the DSL's functions give: for the instruction set of whoever is to run it. */
export interface CompilableProgram<out T extends string = string> {
  /** `isa`: version of the instruction set, as in clang's `-mcpu=v3`. */
  compile(options?: { readonly isa?: 1 | 2 | 3 | 4 }): Program<T>;
}

/** What a program is put together from; see `Program` for the fields. */
export interface ProgramParts
  extends Pick<Program, "name" | "type" | "expectedAttachType" | "section">,
    AssembleOptions {
  /** The main function first, then the subprograms, each behind its label. */
  readonly items: readonly Item[];
  /** Every map that `items` refers to. */
  readonly maps?: readonly MapDefinition[];
  /** Default: "Dual MIT/GPL", with which every helper may be called. */
  readonly license?: string;
}

/**
 * Makes a program of assembly: resolves labels, finds the subprograms (labels
 * that are called, or whose address is taken), checks that maps are declared.
 * @throws {AsmError} as `assemble`; for an empty program; for a map that is
 * referred to and not declared, or declared twice.
 * @example
 * ```ts
 * import { AttachType, load, ProgramType } from "tsbpf";
 * import { exit, mov, program, r0 } from "tsbpf/asm";
 *
 * const allow = program({
 *   name: "allow",
 *   type: ProgramType.CGROUP_SOCK_ADDR,
 *   expectedAttachType: AttachType.CGROUP_INET4_CONNECT,
 *   section: "cgroup/connect4",
 *   items: [mov(r0, 1), exit()],
 * });
 * using loaded = load([allow]);
 * ```
 */
export function program({
  name,
  type,
  expectedAttachType,
  section,
  items,
  maps = [],
  license = "Dual MIT/GPL",
  longJumps = false,
}: ProgramParts): Program {
  const problem = (reason: string): AsmError => new AsmError(`program ${name}: ${reason}`);
  const { instructions, labels } = assembleWithLabels(items, { longJumps });
  if (instructions.length === 0) throw problem("there are no instructions in it");

  const declared = new Set<string>();
  for (const map of maps) {
    if (declared.has(map.name)) throw problem(`map ${map.name} is declared twice`);
    declared.add(map.name);
  }
  const functions: ProgramFunction[] = [{ name, start: 0 }];
  for (const called of calledLabels(items)) {
    const start = labels.get(called)!;
    if (start === instructions.length) throw problem(`subprogram ${called} is empty`);
    if (start > 0) functions.push({ name: called, start });
  }
  functions.sort((a, b) => a.start - b.start);

  for (const { reference } of instructions) {
    if ((reference?.kind === "map" || reference?.kind === "map-value") && !declared.has(reference.name)) {
      throw problem(`map ${reference.name} is referred to, but not among its maps`);
    }
  }
  return {
    name,
    type,
    ...(expectedAttachType === undefined ? {} : { expectedAttachType }),
    section,
    instructions,
    functions,
    maps,
    license,
  };
}

function calledLabels(items: readonly Item[]): Set<string> {
  const called = new Set<string>();
  for (const item of items) {
    if (isLabel(item) || item.reference === undefined) continue;
    const { kind, name } = item.reference;
    if (kind === "function" || (kind === "label" && item.opcode === CALL)) called.add(name);
  }
  return called;
}
