import type { SourceLocation } from "../asm/index.ts";

/** A program that cannot be built: what is wrong, and the line of TypeScript that says it. */
export class BuildError extends Error {
  override readonly name = "BuildError";
  readonly source: SourceLocation | undefined;

  constructor(message: string, source?: SourceLocation) {
    super(source === undefined ? message : `${message} (at ${source.file}:${source.line}:${source.column})`);
    this.source = source;
  }
}
