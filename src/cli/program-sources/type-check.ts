/** Checks the types of a user's file with the TypeScript of the user's project. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { CommandError } from "../errors.ts";

/** Settings for a project without tsconfig.json. */
const DEFAULTS = {
  target: "es2023",
  module: "nodenext",
  moduleResolution: "nodenext",
  strict: true,
  skipLibCheck: true,
  allowImportingTsExtensions: true,
};

/** Settings that make TypeScript check one file of any project, and write nothing. */
const CHECK_ONLY = {
  noEmit: true,
  emitDeclarationOnly: false,
  composite: false,
  incremental: false,
  rootDir: "/",
};

/**
 * Checks the types of a file and of what it imports, with the settings of the nearest tsconfig.json. TypeScript
 * prints its errors on standard error.
 * @throws {CommandError} if there are errors, or the project has no TypeScript
 */
export async function checkTypes(file: string): Promise<void> {
  const path = resolve(file);
  const tsc = typeScriptOf(file, path);
  const config = nearest(path, "tsconfig.json");
  // In the project, since TypeScript looks for @types from the folder of its configuration upwards.
  const folder = join(nearest(path, "node_modules") ?? dirname(path), ".cache", "tsbpf");
  const written = join(folder, `tsconfig-${process.pid}.json`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    written,
    JSON.stringify({
      ...(config !== undefined && { extends: config }),
      compilerOptions: { ...(config === undefined && DEFAULTS), ...CHECK_ONLY },
      files: [path],
      include: [],
    }),
  );
  try {
    const colours = process.stderr.isTTY === true ? ["--pretty"] : ["--pretty", "false"];
    const child = spawn(process.execPath, [tsc, "--project", written, ...colours], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (errors += text));
    const [code] = (await once(child, "close")) as [number | null];
    if (code !== 0)
      throw new CommandError(`${file} has type errors${errors === "" ? "" : `\n${errors.trimEnd()}`}`, {
        hint: "correct them, or leave out --types",
      });
  } finally {
    rmSync(written, { force: true });
  }
}

/** The path of the compiler of the project that the file belongs to. */
function typeScriptOf(file: string, path: string): string {
  let manifest: string;
  try {
    manifest = createRequire(path).resolve("typescript/package.json");
  } catch (cause) {
    throw new CommandError(`cannot check the types of ${file}: its project has no TypeScript`, {
      hint: "npm install --save-dev typescript",
      cause,
    });
  }
  const { bin } = JSON.parse(readFileSync(manifest, "utf8")) as { bin: { tsc: string } };
  return join(dirname(manifest), bin.tsc);
}

/** The file or folder of this name in the folder of `path`, or in the nearest one above. */
function nearest(path: string, name: string): string | undefined {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (existsSync(join(folder, name))) return join(folder, name);
    if (folder === dirname(folder)) return undefined;
  }
}
