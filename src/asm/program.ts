import type { AttachType, MapDefinition, ProgramType } from "../types/index.ts";
import { assembleWithLabels, type AssembleOptions } from "./assemble.ts";
import { AsmError } from "./error.ts";
import { isLabel, type Instruction, type Item } from "./instruction.ts";
import { CALL } from "./opcode.ts";

/**
 * A program to load, simulate or write to an object file, from the compiler or from
 * the raw assembler's `program()`.
 */
export interface Program<out T extends string = string> {
  /** The kernel shows its first 15 bytes. */
  readonly name: string;
  readonly type: ProgramType;
  /** The hook that the verifier checks against; absent for types that have none. */
  readonly expectedAttachType?: AttachType;
  /** The kind of target that the hook attaches to; absent if unknown. */
  readonly target?: T;
  /** libbpf's section name for the hook: `cgroup/connect4`, `xdp`, … */
  readonly section: string;
  /** Labels are resolved; references to maps and kernel functions stay open. */
  readonly instructions: readonly Instruction[];
  /**
   * The functions of the program, the main one first.
   */
  readonly functions: readonly ProgramFunction[];
  /** Every map that an instruction refers to. */
  readonly maps: readonly MapDefinition[];
  /** Licence for the kernel; some helpers require a GPL-compatible one. */
  readonly license: string;
  /**
   * Why the program cannot be loaded: it came from an object file and uses
   * something that is not supported. Absent for every other program.
   */
  readonly unsupported?: Error;
}

/** A function of a program: its name, and the index of its first instruction (an `lddw` counts as one). */
export interface ProgramFunction {
  readonly name: string;
  readonly start: number;
}

/** A program that is not compiled yet, as the DSL gives: the loader chooses the instruction set. */
export interface CompilableProgram<out T extends string = string> {
  /** `isa`: version of the instruction set, as in clang's `-mcpu=v3`. */
  compile(options?: { readonly isa?: 1 | 2 | 3 | 4 }): Program<T>;
}

/** The parts of a program; see `Program` for the fields. */
export interface ProgramParts
  extends Pick<Program, "name" | "type" | "expectedAttachType" | "section">,
    AssembleOptions {
  /** The main function first, then the subprograms, each after its label. */
  readonly items: readonly Item[];
  /** Every map that `items` refers to. */
  readonly maps?: readonly MapDefinition[];
  /** Default: "Dual MIT/GPL", which permits every helper. */
  readonly license?: string;
}

/**
 * Makes a program from assembly: resolves labels, finds the subprograms (labels
 * that are called, or whose address is taken), checks that maps are declared.
 * @throws {AsmError} as `assemble`; for an empty program or subprogram; for a map
 *   that an instruction refers to but `maps` lacks, or has twice.
 *
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
  if (instructions.length === 0) throw problem("it has no instructions");

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
      throw problem(`an instruction refers to map ${reference.name}, which is not among its maps`);
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
