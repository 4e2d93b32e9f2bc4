import { programKinds } from "../hooks/index.ts";
import type { ProgramType } from "../types/index.ts";

/**
 * The name of the struct that a program's first argument points to, which the
 * verifier compares; undefined for program types whose context is not a struct.
 */
export function contextStruct(type: ProgramType): string | undefined {
  return programKinds.find((kind) => kind.type === type)?.contextType;
}
