import type { Instruction } from "../../asm/instruction.ts";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { formatListing } from "../../asm/text/listing.ts";

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

/** The program as text that `tsbpf asm` reads back. */
export function listProgram({ title, instructions, labels, notes }: ListedProgram, slots: boolean): string {
  const comment = (instruction: Instruction): string | undefined => notes?.get(instruction) ?? place(instruction);
  return (title === undefined ? "" : `; ${title}\n`) + formatListing(instructions, { labels, slots, comment });
}

function place({ source }: Instruction): string | undefined {
  if (source === undefined) return undefined;
  const file = source.file.startsWith("file:") ? fileURLToPath(source.file) : source.file;
  return `${basename(file)}:${source.line}`;
}
