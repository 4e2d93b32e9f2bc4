import type { Path, Position, SourceDocument } from "./document.ts";

/** One mistake in a configuration file. */
export interface ConfigProblem extends Position {
  /** `services[0].port`; empty for the file as a whole. */
  readonly field: string;
  /** What was expected, and what is there. */
  readonly message: string;
}

/** What is wrong with the value at `path`. */
export function problemAt(document: SourceDocument, path: Path, message: string): ConfigProblem {
  return { ...document.positionOf(path), field: fieldText(path), message };
}

/** `services[0].port`. */
export function fieldText(path: Path): string {
  return path
    .map((part, i) => (typeof part === "number" ? `[${part}]` : `${i === 0 ? "" : "."}${String(part)}`))
    .join("");
}
