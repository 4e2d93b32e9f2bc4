/** Output of commands on standard output. */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { fileReason } from "../limited-file.ts";
import { colorsFor } from "./colors.ts";
import { CommandError } from "./errors.ts";
import { formatTable, type Column } from "./table.ts";

export const colors = colorsFor(process.stdout);

/** Writes text and waits for a slower reader, so that large outputs are not buffered in memory. */
export async function print(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, "drain");
}

export async function printTable(columns: readonly Column[], rows: readonly (readonly string[])[]): Promise<void> {
  await print(formatTable(columns, rows, colors.bold));
}

/** Prints one JSON document. 64-bit numbers become strings, since JSON readers round them. */
export async function printJson(value: unknown): Promise<void> {
  await print(`${toJson(value, 2)}\n`);
}

/** Prints a remark on standard error; with `json`, as an object like an error's. */
export function note(text: string, json: boolean | undefined): void {
  process.stderr.write(json ? `${toJson({ note: text })}\n` : `note: ${text}\n`);
}

/** @throws {CommandError} naming the file and the reason */
export function writeOutput(path: string, content: string | Uint8Array): void {
  try {
    writeFileSync(path, content);
  } catch (error) {
    throw new CommandError(`cannot write ${path}: ${fileReason(error)}`, { cause: error });
  }
}

/** JSON of a value that may contain bigints. */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? String(part) : part), indent);
}

/** `1,234,567`. */
export function count(number: number | bigint): string {
  return number.toLocaleString("en-GB");
}
