import { placeName, type SourceLocation } from "../asm/index.ts";

/** The error for a program that cannot be built; it names the mistake and the line of TypeScript. */
export class BuildError extends Error {
  override readonly name = "BuildError";
  readonly source: SourceLocation | undefined;

  constructor(message: string, source?: SourceLocation) {
    super(source === undefined ? message : `${message} (at ${placeName(source)})`);
    this.source = source;
  }
}
