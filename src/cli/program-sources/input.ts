import { readLimited } from "../../limited-file.ts";
import { CommandError } from "../errors.ts";

/**
 * The contents of a file and its name for messages; `-` is standard input.
 * @throws {CommandError} if it cannot be read, or has more than 64 MiB
 */
export function readInput(file: string): { name: string; bytes: Buffer } {
  const name = file === "-" ? "standard input" : file;
  try {
    return { name, bytes: readLimited(file === "-" ? 0 : file) };
  } catch (error) {
    throw new CommandError(`cannot read ${name}: ${(error as Error).message}`, { cause: error });
  }
}
