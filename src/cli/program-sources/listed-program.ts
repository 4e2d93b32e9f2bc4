import { basename } from "node:path";
import { formatListing, type Instruction, type SourceLocation } from "../../asm/index.ts";
import { sourcePath, SourceText } from "../../btf/index.ts";

/** A program from any source, as `disasm` shows it. */
export interface ListedProgram {
  /** The heading, if there is more to say than the instructions. */
  readonly title?: string;
  readonly instructions: readonly Instruction[];
  /** Names of functions, by index of their first instruction. */
  readonly labels: ReadonlyMap<number, string>;
  /** Notes on instructions, beyond their text. */
  readonly notes?: ReadonlyMap<Instruction, string>;
}

export interface ListOptions {
  /** Whether each line begins with its slot number. */
  readonly slots?: boolean;
  /** Whether source lines are printed between the instructions, instead of line numbers after them. */
  readonly sources?: boolean;
}

/** The program as text for `tsbpf asm`. */
export function listProgram(
  { title, instructions, labels, notes }: ListedProgram,
  { slots = false, sources = false }: ListOptions = {},
): string {
  const text = new SourceText();
  const heading = ({ source }: Instruction): string | undefined =>
    source === undefined ? undefined : `${placeOf(source)}: ${text.line(source).trim()}`;
  const comment = (instruction: Instruction): string | undefined =>
    notes?.get(instruction) ?? (sources || instruction.source === undefined ? undefined : placeOf(instruction.source));
  return (
    (title === undefined ? "" : `; ${title}\n`) +
    formatListing(instructions, { labels, slots, comment, ...(sources ? { heading } : {}) })
  );
}

function placeOf({ file, line }: SourceLocation): string {
  return `${basename(sourcePath(file))}:${line}`;
}
