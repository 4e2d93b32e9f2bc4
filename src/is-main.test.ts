import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { transformSync } from "esbuild";
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { TSX, withDirectory } from "./testing/index.ts";

const test = suite("isMain");

const SOURCE = new URL("is-main.ts", import.meta.url);

/** Files of each kind that print whether they run, and others that import them. */
function write(directory: string): void {
  for (const [format, ending] of [
    ["esm", "mjs"],
    ["cjs", "cjs"],
  ] as const) {
    const { code } = transformSync(readFileSync(SOURCE, "utf8"), { loader: "ts", format });
    writeFileSync(join(directory, `is-main.${ending}`), code);
  }
  const say = (module: string) => `console.log(String(isMain(${module})));\n`;
  const file = (name: string, text: string) => writeFileSync(join(directory, name), text);
  const esm = 'import { isMain } from "./is-main.mjs";\n';
  const cjs = 'const { isMain } = require("./is-main.cjs");\n';
  file("esm.mjs", esm + say("import.meta"));
  file("cjs.cjs", cjs + say("module"));
  file("typed.mts", `${esm}const answer: boolean = isMain(import.meta);\nconsole.log(String(answer));\n`);
  file("required.cts", `${cjs}const answer: boolean = isMain(module);\nconsole.log(String(answer));\n`);
  file("plain.ts", esm + say("import.meta"));
  file("by-name.js", cjs + say("module"));
  file("imports.mjs", "for (const file of process.argv.slice(2)) await import(file);\n");
  mkdirSync(join(directory, "folder"));
  file("folder/index.js", 'const { isMain } = require("../is-main.cjs");\n' + say("module"));
  symlinkSync("esm.mjs", join(directory, "link.mjs"));
}

test("a file that Node was started with is run; one that is imported is not", () =>
  withDirectory((directory) => {
    write(directory);
    const run = (...args: readonly string[]) =>
      execFileSync(process.execPath, args, { cwd: directory, encoding: "utf8" }).trim().split("\n").join(" ");
    assert.is(run("esm.mjs"), "true");
    assert.is(run("./cjs.cjs"), "true");
    assert.is(run("link.mjs"), "true");
    assert.is(run("by-name"), "true");
    assert.is(run("folder"), "true");
    assert.is(run("imports.mjs", "./esm.mjs", "./cjs.cjs", "./by-name.js"), "false false false");
    for (const file of ["typed.mts", "required.cts", "plain.ts", "esm.mjs", "cjs.cjs"])
      assert.is(run(...TSX, file), "true", file);
    assert.is(run(...TSX, "imports.mjs", "./typed.mts", "./required.cts", "./plain.ts"), "false false false");
    assert.is(run("--input-type=module", "--eval", 'await import("./esm.mjs")'), "false");
  }));

test.run();
