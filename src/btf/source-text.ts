import { readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { SourceLocation } from "../asm/index.ts";

/**
 * The kernel prints a line through a buffer of 1024 bytes, and warns in its own
 * log where one does not fit; and nobody reads a longer one.
 */
const MAX_LINE = 240;

interface CachedFile {
  readonly modified: number;
  readonly size: number;
  readonly lines: readonly string[];
}

const files = new Map<string, CachedFile | undefined>();

/** The path of a location's file: what an editor opens. */
export function sourcePath(file: string): string {
  return file.startsWith("file:") ? fileURLToPath(file) : file;
}

/**
 * Reads source lines. Files are kept for the life of the process and read again
 * when they change; a `SourceText` itself, made for one piece of work, looks
 * only once.
 */
export class SourceText {
  readonly #seen = new Map<string, readonly string[]>();

  /** The text of a location's line without trailing blanks, cut where it is overlong; "" where it cannot be read. */
  line({ file, line, text: known }: SourceLocation): string {
    if (known !== undefined) return cut(known);
    let lines = this.#seen.get(file);
    if (lines === undefined) {
      lines = readLines(sourcePath(file));
      this.#seen.set(file, lines);
    }
    return cut(lines[line - 1] ?? "");
  }
}

function cut(line: string): string {
  const text = line.trimEnd();
  return text.length <= MAX_LINE ? text : `${text.slice(0, MAX_LINE)}…`;
}

function readLines(path: string): readonly string[] {
  try {
    const { mtimeMs: modified, size } = statSync(path);
    let file = files.get(path);
    if (file === undefined || file.modified !== modified || file.size !== size) {
      file = { modified, size, lines: readFileSync(path, "utf8").split("\n") };
      files.set(path, file);
    }
    return file.lines;
  } catch {
    // The source may well be elsewhere than the program that was made from it.
    return [];
  }
}
