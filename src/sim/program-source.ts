import type { CompilableProgram, Program } from "../asm/index.ts";

const compiled = new WeakMap<CompilableProgram, Program>();

/** The compiled program; a source is compiled once. */
export function finishedProgram(program: Program | CompilableProgram): Program {
  if (!("compile" in program)) return program;
  let finished = compiled.get(program);
  if (finished === undefined) compiled.set(program, (finished = program.compile()));
  return finished;
}
