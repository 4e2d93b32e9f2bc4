import type { MapDefinition } from "../types/map.ts";
import type { Program, ProgramFunction } from "../types/program.ts";
import { assembleWithLabels, type AssembleOptions } from "./assemble.ts";
import { AsmError } from "./error.ts";
import { isLabel, type Item } from "./instruction.ts";
import { CALL } from "./opcode.ts";

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
