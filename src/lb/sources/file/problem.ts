import { fieldText, type FieldPath } from "../../model/index.ts";
import type { Position, SourceDocument } from "./document.ts";

/** One mistake in a configuration file. */
export interface ConfigProblem extends Position {
  /** `services[0].port`; empty for the whole file. */
  readonly field: string;
  /** The expectation, and what was found. */
  readonly message: string;
}

/** A problem with the value at `path`. */
export function problemAt(document: SourceDocument, path: FieldPath, message: string): ConfigProblem {
  return { ...document.positionOf(path), field: fieldText(path), message };
}
