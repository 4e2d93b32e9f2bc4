import { findSourceMap } from "node:module";
import { fileURLToPath } from "node:url";
import type { SourceLocation } from "../asm/index.ts";

/** A CommonJS bundle has no `import.meta.url`, and one file for the DSL and its callers: no frame is a caller's. */
const IN_A_BUNDLE = "file:///";

/**
 * Finds the line of TypeScript that called into the DSL: the stack frame below
 * the called method. Stack traces dominate the cost of building a program, so
 * one frame is captured and each place in a file is resolved once.
 */
const module = (import.meta.url as string | undefined) ?? IN_A_BUNDLE;
const here = module.slice(0, module.lastIndexOf("/") + 1);
/** In a CommonJS package, frames have paths in place of URLs. */
const herePath = fileURLToPath(here);

/**
 * Places by file and position; undefined for files of the DSL. A source map lookup is far slower than a stack frame.
 */
const resolved = new Map<string, Map<number, SourceLocation> | undefined>();

let capturing = true;

/** Runs `action` with the capture of source locations on or off. Building is faster without. */
export function withSourceCapture<T>(enabled: boolean, action: () => T): T {
  const before = capturing;
  capturing = enabled;
  try {
    return action();
  } finally {
    capturing = before;
  }
}

/** Where `method` was called from; undefined when capture is off or the DSL itself called. */
export function captureSource(method: Function): SourceLocation | undefined {
  if (!capturing) return undefined;
  const [frame] = framesAbove(method, 1);
  return frame && resolve(frame);
}

/**
 * The places that led to the call of `method`, the innermost first: the call
 * itself, the call of the function that it stands in, and so on up to the first
 * frame that is not the program's own.
 */
export function captureCallers(method: Function, limit = MOST_CALLERS): readonly SourceLocation[] {
  const locations: SourceLocation[] = [];
  for (const frame of framesAbove(method, limit)) {
    const location = resolve(frame);
    if (location === undefined) break;
    locations.push(location);
  }
  return locations;
}

/**
 * The place in the program that led to the call of `method`, past the frames of
 * the DSL and of JavaScript's own functions between the two. It is found when it
 * is asked for.
 */
export function placeOfCall(method: Function): () => SourceLocation | undefined {
  const frames = framesAbove(method, MOST_CALLERS);
  return () => {
    for (const frame of frames) {
      const location = resolve(frame);
      if (location !== undefined) return location;
    }
    return undefined;
  };
}

/** How deep functions of a program may nest for their callers to be found. */
const MOST_CALLERS = 16;

function framesAbove(method: Function, limit: number): readonly NodeJS.CallSite[] {
  const { stackTraceLimit, prepareStackTrace } = Error;
  Error.stackTraceLimit = limit;
  Error.prepareStackTrace = allFrames;
  const holder: { stack?: unknown } = {};
  Error.captureStackTrace(holder, method);
  const frames = holder.stack as readonly NodeJS.CallSite[];
  Error.stackTraceLimit = stackTraceLimit;
  Error.prepareStackTrace = prepareStackTrace;
  return frames;
}

const allFrames = (_error: Error, frames: readonly NodeJS.CallSite[]): readonly NodeJS.CallSite[] => frames;

function isProgram(file: string): boolean {
  return (
    (!(file.startsWith(here) || file.startsWith(herePath)) || file.includes(".test.")) && !file.startsWith("node:")
  );
}

function resolve(frame: NodeJS.CallSite): SourceLocation | undefined {
  const file = frame.getFileName();
  if (file === null || file === undefined) return undefined;
  let places = resolved.get(file);
  if (places === undefined) {
    if (resolved.has(file)) return undefined;
    places = isProgram(file) ? new Map() : undefined;
    resolved.set(file, places);
    if (places === undefined) return undefined;
  }
  const position = frame.getPosition();
  const known = places.get(position);
  if (known !== undefined) return known;
  const line = frame.getLineNumber();
  const column = frame.getColumnNumber();
  if (line === null || column === null) return undefined;
  const location = mapped(file, line, column);
  places.set(position, location);
  return location;
}

/** The place in the original file, through the source map if there is one. */
function mapped(file: string, line: number, column: number): SourceLocation {
  const path = file.startsWith("file:") ? fileURLToPath(file) : file;
  const entry = (findSourceMap(path) ?? findSourceMap(file))?.findEntry(line - 1, column - 1) as
    | Partial<SourceMapEntry>
    | undefined;
  if (entry?.originalSource === undefined) return { file: path, line, column };
  const { originalSource: source, originalLine = 0, originalColumn = 0 } = entry;
  return {
    file: source.startsWith("file:") ? fileURLToPath(source) : source,
    line: originalLine + 1,
    column: originalColumn + 1,
  };
}

/** The result of `findEntry`; lines and columns count from 0. */
interface SourceMapEntry {
  originalSource: string;
  originalLine: number;
  originalColumn: number;
}
