/** Programs in TypeScript files: whatever a file exports that is a program, or that compiles to one. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { IrModule } from "../../compiler/index.ts";
import type { Program } from "../../asm/index.ts";
import { CommandError } from "../errors.ts";

/** A program as the typed builder gives it: `ProgramSource` of src/dsl, by its form, since the file brings a builder of its own. */
export interface BuildableProgram {
  readonly name: string;
  build(options?: object): IrModule;
  compile(options?: object): Program;
}

/** What a file exports that can be built. */
export type ExportedProgram = Program | BuildableProgram;

export interface TypeScriptFile {
  readonly programs: readonly ExportedProgram[];
  /** Names of exported functions, of which one may give programs when it is called. */
  readonly functions: readonly string[];
}

/**
 * Imports a TypeScript file and finds its programs: exports, and elements of
 * exported arrays. Modules are imported once a process: to import a file that
 * has changed takes another one.
 * @throws {CommandError} where the file is not there or fails; it names the place.
 */
export async function importPrograms(file: string): Promise<TypeScriptFile> {
  const path = resolve(file);
  if (!existsSync(path)) throw new CommandError(`cannot read ${file}: there is no such file`);
  await understandTypeScript();
  let exports: Record<string, unknown>;
  try {
    exports = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  } catch (error) {
    throw failure(`cannot import ${file}`, error);
  }
  const values = Object.entries(exports).flatMap(([name, value]): [string, unknown][] =>
    // A file that is taken for CommonJS has all its exports in the default one.
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
 * The programs of a file that a command is to work on: all, or those named.
 * @throws {CommandError} where there are none, or none of a name
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
          ? "export what cgroup.connect4(…) and its like give, or what the assembler's program({ … }) gives"
          : `it exports functions (${functions.join(", ")}): if one of them gives programs, call it in a file of your own and export the result`,
    });
  }
  const known = new Set(programs.map(({ name }) => name));
  const unknown = names?.find((name) => !known.has(name));
  if (unknown !== undefined)
    throw new CommandError(`${file} exports no program ${unknown}`, { hint: `it exports ${[...known].join(", ")}` });
  return names === undefined ? programs : programs.filter(({ name }) => names.includes(name));
}

const imported = new Set<string>();

/** The files that were imported for the sake of others, packages and the command itself apart. */
export function importedFiles(): readonly string[] {
  // In CommonJS packages, Node keeps the list.
  const required = Object.keys(createRequire(import.meta.url).cache);
  return [...new Set([...imported, ...required])].filter((file) => !file.includes("/node_modules/"));
}

/** Lets Node import TypeScript from here on, with source maps. It takes a moment that other commands need not spend. */
async function understandTypeScript(): Promise<void> {
  const [esm, commonJs] = await Promise.all([import("tsx/esm/api"), import("tsx/cjs/api")]);
  esm.register({
    onImport(url) {
      if (url.startsWith("file:")) imported.add(fileURLToPath(url.split("?")[0]!));
    },
  });
  commonJs.register();
}

/** What an error of the user's own file says, with the place in it that it comes from. */
export function failure(what: string, error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const place = error instanceof Error ? placeOf(error) : undefined;
  return new CommandError(
    `${what}: ${message}${place === undefined || message.includes(place.replace(/:\d+$/, "")) ? "" : ` (at ${place})`}`,
    { cause: error },
  );
}

/** Where the toolkit's own part of a stack is, whichever copy of it the file brings. */
const TOOLKIT = /\/src\/(dsl|compiler|asm|types)\//;

/** The innermost frame that is not Node's, a package's or the toolkit's. */
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
