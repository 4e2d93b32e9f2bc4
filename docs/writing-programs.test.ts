/** Every piece of code in writing-programs.md is what it says: it passes the type checker, and its programs can be built. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..");
const page = readFileSync(join(here, "writing-programs.md"), "utf8");
const pieces = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code!.replace('"tsbpf"', '"../../src/index.ts"'));

const test = suite("docs: writing programs");
mkdirSync(join(root, ".cache"), { recursive: true });
const folder = mkdtempSync(join(root, ".cache/writing-programs-"));
test.after(() => rmSync(folder, { recursive: true }));

test("every piece passes the type checker", () => {
  assert.ok(pieces.length > 5);
  pieces.forEach((code, i) => writeFileSync(join(folder, `piece-${i}.ts`), `${exported(code)}\nexport {};\n`));
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ extends: join(root, "tsconfig.json"), files: pieces.map((_, i) => `piece-${i}.ts`), include: [], compilerOptions: { noUnusedLocals: false } }));
  const { status, stdout } = spawnSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", folder, "--pretty", "false"], { encoding: "utf8" });
  assert.is(status, 0, stdout);
});

test("every program can be compiled", async () => {
  let compiled = 0;
  for (const i of pieces.keys()) {
    const module = await import(pathToFileURL(join(folder, `piece-${i}.ts`)).href) as Record<string, unknown>;
    for (const source of Object.values(module).flat()) {
      if (!isProgramSource(source)) continue;
      assert.ok(source.compile().instructions.length > 0);
      compiled++;
    }
  }
  assert.ok(compiled >= 7, `${compiled} programs`);
});

const exported = (code: string): string => code.replace(/^const /gm, "export const ");

function isProgramSource(value: unknown): value is { compile(): { instructions: readonly unknown[] } } {
  return typeof value === "object" && value !== null && "compile" in value;
}

test.run();
