/** Programs in object files. */
import { closeSync, openSync, readSync } from "node:fs";
import { AsmError, type Program } from "../../asm/index.ts";
import type { ObjectFile, ReadOptions } from "../../elf/index.ts";
import { CommandError } from "../errors.ts";
import { listText } from "../list-text.ts";
import { readInput } from "./input.ts";

const MAGIC = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);

/** Whether bytes are an ELF file. */
export const isElf = (bytes: Uint8Array): boolean => MAGIC.equals(bytes.subarray(0, 4));

/** Whether a path names an ELF file; false for an unreadable file. */
export function isElfFile(path: string): boolean {
  try {
    const file = openSync(path, "r");
    const start = Buffer.alloc(MAGIC.length);
    try {
      return readSync(file, start) === start.length && isElf(start);
    } finally {
      closeSync(file);
    }
  } catch {
    return false;
  }
}

/**
 * An object file with at least one program.
 * @throws {CommandError} naming the unsupported sections, if there are no programs
 */
export async function readPrograms(name: string, bytes: Uint8Array, options: ReadOptions = {}): Promise<ObjectFile> {
  const { readObject } = await import("../../elf/index.ts");
  const object = await orCommandError(name, () => readObject(bytes, options));
  if (object.programs.length > 0) return object;
  const held = object.unsupported.map(({ message }) => message).join("; ");
  throw new CommandError(`${name}: it contains no program${held === "" ? "" : `: ${held}`}`, {
    hint: "`tsbpf disasm --section NAME` shows any section, such as .text",
  });
}

/** Runs `work`; faults of the object file become `CommandError`s. @throws {CommandError} */
export async function orCommandError<T>(name: string, work: () => T): Promise<T> {
  const { ElfError } = await import("../../elf/index.ts");
  try {
    return work();
  } catch (error) {
    if (error instanceof ElfError || error instanceof AsmError)
      throw new CommandError(`${name}: ${error.message}`, { cause: error });
    throw error;
  }
}

/**
 * The programs for a command: all of the object file's, or those named.
 * @throws {CommandError} if there are none, or none of a name
 */
export async function chosenObjectPrograms(
  file: string,
  names: readonly string[] | undefined,
): Promise<{ readonly programs: readonly Program[]; readonly object: ObjectFile }> {
  const object = await readPrograms(file, readInput(file).bytes);
  const known = object.programs.map(({ name }) => name);
  const unknown = names?.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new CommandError(`${file} has no program ${unknown}`, { hint: `it has ${listText(known)}` });
  return { programs: object.programs.filter(({ name }) => names?.includes(name) ?? true), object };
}
