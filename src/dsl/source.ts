import { findSourceMap } from "node:module";
import { fileURLToPath } from "node:url";
import type { SourceLocation } from "../asm/instruction.ts";

/**
 * Finds the line of TypeScript that made a call into the DSL: the innermost
 * stack frame outside this folder.
 */
const here = import.meta.url.slice(0, import.meta.url.lastIndexOf("/") + 1);
/** In a CommonJS package, frames bear paths, not addresses. */
const herePath = fileURLToPath(here);

/** Frames to look at: the depth of calls between a program and `Emitter.mark` is below this. */
const DEPTH = 6;

/** Locations by place in the file that runs, since a source map lookup costs far more than the stack walk. */
const resolved = new Map<string, SourceLocation>();

let capturing = true;

/** Runs `action` with the capture of source locations on or off. Off, instructions have none, and building is faster. */
export function withSourceCapture<T>(enabled: boolean, action: () => T): T {
  const before = capturing;
  capturing = enabled;
  try {
    return action();
  } finally {
    capturing = before;
  }
}

/** Where the DSL was called from; undefined when capture is off or the place is not known. */
export function captureSource(): SourceLocation | undefined {
  if (!capturing) return undefined;
  const { stackTraceLimit, prepareStackTrace } = Error;
  Error.stackTraceLimit = DEPTH;
  Error.prepareStackTrace = outsideFrame;
  const holder: { stack?: unknown } = {};
  Error.captureStackTrace(holder, captureSource);
  const frame = holder.stack as NodeJS.CallSite | undefined;
  Error.stackTraceLimit = stackTraceLimit;
  Error.prepareStackTrace = prepareStackTrace;
  return frame && resolve(frame);
}

function outsideFrame(_error: Error, frames: NodeJS.CallSite[]): NodeJS.CallSite | undefined {
  return frames.find((frame) => {
    const file = frame.getFileName();
    return file != null && (!(file.startsWith(here) || file.startsWith(herePath)) || file.includes(".test.")) && !file.startsWith("node:");
  });
}

function resolve(frame: NodeJS.CallSite): SourceLocation | undefined {
  const file = frame.getFileName();
  const line = frame.getLineNumber();
  const column = frame.getColumnNumber();
  if (file == null || line === null || column === null) return undefined;
  const key = `${file}:${line}:${column}`;
  let location = resolved.get(key);
  if (location === undefined) resolved.set(key, (location = mapped(file, line, column)));
  return location;
}

/** The place in the file that a person wrote, through the source map where the running file was made from another. */
function mapped(file: string, line: number, column: number): SourceLocation {
  const path = file.startsWith("file:") ? fileURLToPath(file) : file;
  const entry = (findSourceMap(path) ?? findSourceMap(file))?.findEntry(line - 1, column - 1) as Partial<SourceMapEntry> | undefined;
  if (entry?.originalSource === undefined) return { file: path, line, column };
  const { originalSource: source, originalLine = 0, originalColumn = 0 } = entry;
  return { file: source.startsWith("file:") ? fileURLToPath(source) : source, line: originalLine + 1, column: originalColumn + 1 };
}

/** What `findEntry` gives; lines and columns from 0. */
interface SourceMapEntry {
  originalSource: string;
  originalLine: number;
  originalColumn: number;
}
