/** A program that can't be compiled, for a reason that lies in the program. */
export class CompileError extends Error {
  override readonly name = "CompileError";
}
