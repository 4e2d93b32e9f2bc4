import { AsmError } from "../error.ts";

/** A syntax error in assembly text: the place, and the expectation. */
export class AsmSyntaxError extends AsmError {
  override readonly name = "AsmSyntaxError";
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;

  constructor(problem: string, file: string | undefined, line: number, column: number) {
    super(`${file === undefined ? "" : `${file}:`}${line}:${column}: ${problem}`);
    this.line = line;
    this.column = column;
  }
}
