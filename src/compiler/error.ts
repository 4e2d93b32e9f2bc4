import type { SourceLocation } from "../asm/index.ts";

/** A program that cannot be compiled; the fault is in the program. */
export class CompileError extends Error {
  override readonly name = "CompileError";
  /** The line to look at first, where there is one. */
  readonly source: SourceLocation | undefined;

  constructor(message: string, source?: SourceLocation) {
    super(message);
    this.source = source;
  }
}
