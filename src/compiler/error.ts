/** A program that cannot be compiled; the fault is in the program. */
export class CompileError extends Error {
  override readonly name = "CompileError";
}
