import { basename } from "node:path";
import { formatListing, type Instruction, type SourceLocation } from "../../asm/index.ts";
import { sourcePath, SourceText } from "../../btf/index.ts";

/** A program as `disasm` shows it, wherever it comes from. */
export interface ListedProgram {
  /** What a heading says, where there is more to say than the instructions. */
  readonly title?: string;
  readonly instructions: readonly Instruction[];
  /** Names of functions, by index of their first instruction. */
  readonly labels: ReadonlyMap<number, string>;
  /** What is to be known of an instruction beyond its text. */
  readonly notes?: ReadonlyMap<Instruction, string>;
}

export interface ListOptions {
  /** Whether each line begins with the number of its slot. */
  readonly slots?: boolean;
  /** Whether the lines of source stand between the instructions, rather than only their numbers behind. */
  readonly sources?: boolean;
}

/** The program as text that `tsbpf asm` reads back. */
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
