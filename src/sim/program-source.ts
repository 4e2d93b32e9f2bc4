import type { Program } from "../types/index.ts";

/** A program as it was written, such as the DSL's, that can be compiled. */
export interface CompilableProgram {
  compile(): Program;
}

const compiled = new WeakMap<CompilableProgram, Program>();

/** The finished program; one that has to be compiled is so once. */
export function finishedProgram(program: Program | CompilableProgram): Program {
  if (!("compile" in program)) return program;
  let finished = compiled.get(program);
  if (finished === undefined) compiled.set(program, (finished = program.compile()));
  return finished;
}
