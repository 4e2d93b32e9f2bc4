/** Programs in files: hexadecimal digits, raw bytes or object files. */
import { AsmError, decode, type Program } from "../../asm/index.ts";
import { CommandError, UsageError } from "../errors.ts";
import { parseHex } from "../hex.ts";
import { readInput } from "./input.ts";
import type { ListedProgram } from "./listed-program.ts";
import { isElf, orCommandError, readPrograms } from "./object.ts";

/** @throws {CommandError} */
export async function programsInFile(file: string, section: string | undefined): Promise<ListedProgram[]> {
  const { name, bytes } = readInput(file);
  if (isElf(bytes)) return programsInObject(name, bytes, section);
  if (section !== undefined) throw new UsageError(`--section is for object files, and ${name} is not one`);
  try {
    return [{ instructions: decode(isHex(bytes) ? parseHex(bytes.toString("latin1")) : bytes), labels: new Map() }];
  } catch (error) {
    if (error instanceof AsmError || error instanceof RangeError)
      throw new CommandError(`${name}: ${error.message}`, { cause: error });
    throw error;
  }
}

/**
 * Only hexadecimal digits and white space. A program's bytes never look like this, given their registers and
 * offsets.
 */
const isHex = (bytes: Buffer): boolean => /^[\s0-9a-fA-F]*$/.test(bytes.toString("latin1"));

async function programsInObject(name: string, bytes: Buffer, section: string | undefined): Promise<ListedProgram[]> {
  if (section === undefined) return (await readPrograms(name, bytes, { target: "self" })).programs.map(listed);
  const { ElfError, readObject } = await import("../../elf/index.ts");
  let reason = "no program is loaded from it";
  try {
    const programs = readObject(bytes, { target: "self" }).programs.filter((program) => program.section === section);
    if (programs.length > 0) return programs.map(listed);
  } catch (error) {
    if (!(error instanceof ElfError)) throw error;
    reason = error.message;
  }
  const { codeInSection } = await import("./section.ts");
  return [await orCommandError(name, () => codeInSection(bytes, section, reason))];
}

const listed = ({ name, section, instructions, functions, unsupported }: Program): ListedProgram => ({
  title:
    `section ${section}, program ${name}` +
    `${unsupported === undefined ? "" : `, which cannot be loaded (${unsupported.message})`}`,
  instructions,
  labels: new Map(functions.map(({ name, start }) => [start, name])),
});
