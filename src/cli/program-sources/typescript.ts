/** Programs in TypeScript files: exports that are programs or compile to one. */
import { statSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { IrModule } from "../../compiler/index.ts";
import type { Program } from "../../asm/index.ts";
import { CommandError } from "../errors.ts";
import { listText } from "../list-text.ts";
import { packageFile } from "../package-file.ts";

/** A program of the typed builder. Recognized by its shape, since the file imports its own copy of the builder. */
export interface BuildableProgram {
  readonly name: string;
  build(options?: object): IrModule;
  compile(options?: object): Program;
}

/** An export that can be built. */
export type ExportedProgram = Program | BuildableProgram;

export interface TypeScriptFile {
  readonly programs: readonly ExportedProgram[];
  /** Names of exported functions, one of which may return programs. */
  readonly functions: readonly string[];
}

/**
 * Imports a TypeScript file and finds its programs among the exports and the elements of exported arrays.
 * Modules are imported once per process: importing a changed file takes a new process.
 * @throws {CommandError} if the file is missing or fails; the message has the position
 */
export async function importPrograms(file: string): Promise<TypeScriptFile> {
  const path = resolve(file);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw new CommandError(`cannot read ${file}: no such file`);
  if (!stats.isFile())
    throw new CommandError(`cannot read ${file}: it is ${stats.isDirectory() ? "a directory" : "not a regular file"}`);
  await understandTypeScript(path);
  let exports: Record<string, unknown>;
  try {
    exports = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  } catch (error) {
    throw failure(`cannot import ${file}`, error);
  }
  const values = Object.entries(exports).flatMap(([name, value]): [string, unknown][] =>
    // A file treated as CommonJS has all its exports in the default one.
    name === "default" && isRecord(value) && !isProgram(value) && !isBuildable(value)
      ? Object.entries(value)
      : [[name, value]],
  );
  return {
    programs: [...new Set(values.flatMap(([, value]) => programsIn(value)))],
    functions: values.filter(([, value]) => typeof value === "function").map(([name]) => name),
  };
}

/**
 * The programs for a command: all of the file's, or those named.
 * @throws {CommandError} if there are none, or none of a name
 */
export function chosenPrograms(
  file: string,
  { programs, functions }: TypeScriptFile,
  names: readonly string[] | undefined,
): readonly ExportedProgram[] {
  if (programs.length === 0) {
    throw new CommandError(`${file} exports no programs`, {
      hint:
        functions.length === 0
          ? "export the results of cgroup.connect4(…) and the like, or of the assembler's program({ … })"
          : `it exports functions (${listText(functions)}): if one returns programs, ` +
            "call it in your own file and export the result",
    });
  }
  const known = new Set(programs.map(({ name }) => name));
  const unknown = names?.find((name) => !known.has(name));
  if (unknown !== undefined)
    throw new CommandError(`${file} exports no program ${unknown}`, { hint: `it exports ${listText([...known])}` });
  return names === undefined ? programs : programs.filter(({ name }) => names.includes(name));
}

const imported = new Set<string>();

/** The files that the file imported, except packages and the command itself. */
export function importedFiles(): readonly string[] {
  // Node lists the CommonJS modules.
  const required = Object.keys(createRequire(import.meta.url).cache);
  return [...new Set([...imported, ...required])].filter((file) => !file.includes("/node_modules/"));
}

/** Whether Node imports TypeScript already, by whether the file is the package's own. */
const understood = new Set<boolean>();

/**
 * Makes Node import TypeScript from now on, with source maps. Called on demand, since it takes a moment; once, since
 * every further registration multiplies the paths that are tried for a missing module.
 */
async function understandTypeScript(path: string): Promise<void> {
  // In a checkout, tsconfig.json makes "tsbpf" the source; a command that is built gives the build to its own files.
  const own = import.meta.url.endsWith(".js") && path.startsWith(packageFile("/"));
  if (understood.has(own)) return;
  const [esm, commonJs] = await Promise.all([import("tsx/esm/api"), import("tsx/cjs/api")]);
  esm.register({
    ...(own && { tsconfig: false }),
    onImport(url) {
      if (url.startsWith("file:")) imported.add(fileURLToPath(url.split("?")[0]!));
    },
  });
  if (understood.size === 0) commonJs.register();
  understood.add(own);
}

/** Wraps an error of the user's file, adding its position in the file. */
export function failure(what: string, error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const place = error instanceof Error ? placeOf(error) : undefined;
  const known = place === undefined || message.includes(place.replace(/:\d+$/, ""));
  return new CommandError(`${what}: ${message}${known ? "" : ` (at ${place})`}`, { cause: error });
}

/** Stack frames of the toolkit, in whichever copy the file imports. */
const TOOLKIT = /\/src\/(dsl|compiler|asm|types)\//;

/** The innermost frame outside Node, packages and the toolkit. */
function placeOf({ stack = "" }: Error): string | undefined {
  for (const line of stack.split("\n").slice(1)) {
    const found = /\(?((?:file:\/\/)?\/[^()]*?):(\d+):(\d+)\)?$/.exec(line);
    if (found === null || line.includes("node:") || line.includes("/node_modules/")) continue;
    const file = found[1]!.startsWith("file:") ? fileURLToPath(found[1]!.split("?")[0]!) : found[1]!;
    if (!TOOLKIT.test(file)) return `${file}:${found[2]}:${found[3]}`;
  }
  return undefined;
}

function programsIn(value: unknown): ExportedProgram[] {
  if (Array.isArray(value)) return value.flatMap(programsIn);
  return isRecord(value) && (isProgram(value) || isBuildable(value)) ? [value as unknown as ExportedProgram] : [];
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

export function isProgram(value: object): value is Program {
  const { name, type, section, instructions, functions, maps } = value as Partial<Program>;
  return (
    typeof name === "string" &&
    typeof type === "number" &&
    typeof section === "string" &&
    Array.isArray(instructions) &&
    Array.isArray(functions) &&
    Array.isArray(maps)
  );
}

function isBuildable(value: object): value is BuildableProgram {
  const { name, build, compile } = value as Partial<BuildableProgram>;
  return typeof name === "string" && typeof build === "function" && typeof compile === "function";
}
