import { readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { SourceLocation } from "../asm/index.ts";

/**
 * Characters of a source line that are kept. The kernel prints a line through a
 * buffer of 1024 bytes, and warns in its own log about a longer one.
 */
const MAX_LINE = 240;

interface CachedFile {
  readonly modified: number;
  readonly size: number;
  readonly lines: readonly string[];
}

const files = new Map<string, CachedFile | undefined>();

/** The path of a location's file, for an editor to open. */
export function sourcePath(file: string): string {
  return file.startsWith("file:") ? fileURLToPath(file) : file;
}

/**
 * Reads source lines. Files stay in memory for the life of the process and are
 * read again when they change; one `SourceText` checks each file once.
 */
export class SourceText {
  readonly #seen = new Map<string, readonly string[]>();

  /** A location's line without trailing blanks, cut to a limit; "" if it cannot be read. */
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
    // The source may be on another machine than the program.
    return [];
  }
}
