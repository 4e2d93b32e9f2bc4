import { decode, isWide, SLOT_SIZE } from "../../asm/index.ts";
import { ElfError, parseElf } from "../../elf/index.ts";
import type { ListedProgram } from "./listed-program.ts";

/**
 * The code of one section, unrelocated: for code that loaders do not take as it is, such as a library of
 * subprograms or an object without BTF. `reason` says why.
 * @throws {ElfError}
 * @throws {AsmError}
 */
export function codeInSection(file: Uint8Array, name: string, reason: string): ListedProgram {
  const { sections, symbols } = parseElf(file);
  const section = sections.find((candidate) => candidate.name === name && candidate.index !== 0);
  if (section === undefined) {
    const names = sections.map((each) => each.name).filter((each) => each !== "");
    throw new ElfError(`it has no section ${name}; its sections are ${names.join(", ")}`);
  }
  const instructions = decode(section.data);
  const names = new Map(
    symbols.flatMap((symbol) =>
      symbol.section === section && symbol.name !== name ? [[symbol.value, symbol.name]] : [],
    ),
  );
  const labels = new Map<number, string>();
  let offset = 0;
  instructions.forEach((instruction, index) => {
    const label = names.get(offset);
    if (label !== undefined) labels.set(index, label);
    offset += isWide(instruction) ? 2 * SLOT_SIZE : SLOT_SIZE;
  });
  return { title: `section ${name}, not relocated (${reason})`, instructions, labels };
}
