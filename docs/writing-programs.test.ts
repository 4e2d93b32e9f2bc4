/**
 * Every piece of code in writing-programs.md and testing-programs.md is what it
 * says: it passes the type checker, its programs can be built, and its tests
 * run and print what the page shows.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { TSX } from "../src/testing/index.ts";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..");

interface Piece {
  /** As the piece itself says in its first line, `// NAME.ts`; else a number. */
  readonly file: string;
  readonly code: string;
}

const blocks = (page: string, language: string): string[] =>
  [...readFileSync(join(here, page), "utf8").matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))].map(
    ([, text]) => text!,
  );

const piecesOf = (page: string): Piece[] =>
  blocks(page, "ts").map((code, i) => ({
    file: code.match(/^\/\/ (\S+\.ts)\n/)?.[1] ?? `piece-${i}.ts`,
    code,
  }));

const writing = piecesOf("writing-programs.md");
const testing = piecesOf("testing-programs.md");
const pieces = [...writing, ...testing];

const test = suite("docs: writing and testing programs");
mkdirSync(join(root, ".cache"), { recursive: true });
const folder = mkdtempSync(join(root, ".cache/writing-programs-"));
test.after(() => rmSync(folder, { recursive: true }));

test("every piece passes the type checker", () => {
  assert.ok(writing.length > 5 && testing.length > 4);
  assert.is(new Set(pieces.map(({ file }) => file)).size, pieces.length, "two pieces of the same name");
  for (const { file, code } of pieces) writeFileSync(join(folder, file), `${exported(code)}\nexport {};\n`);
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      extends: join(root, "tsconfig.json"),
      files: pieces.map(({ file }) => file),
      compilerOptions: { noUnusedLocals: false },
    }),
  );
  const { status, stdout } = spawnSync(
    process.execPath,
    [join(root, "node_modules/typescript/bin/tsc"), "-p", folder, "--pretty", "false"],
    { encoding: "utf8" },
  );
  assert.is(status, 0, stdout);
});

test("every program can be compiled", async () => {
  let compiled = 0;
  for (const { file } of writing) {
    const module = (await import(pathToFileURL(join(folder, file)).href)) as Record<string, unknown>;
    for (const source of Object.values(module).flat()) {
      if (!isProgramSource(source)) continue;
      assert.ok(source.compile().instructions.length > 0);
      compiled++;
    }
  }
  assert.ok(compiled >= 7, `${compiled} programs`);
});

const printed = new Map<string, string>();
for (const { file } of testing.filter(({ file }) => file.endsWith(".test.ts"))) {
  test(`${file} passes`, () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [...TSX, join(folder, file)], {
      cwd: root,
      encoding: "utf8",
    });
    assert.is(status, 0, stdout + stderr);
    printed.set(file, stdout);
  });
}

test("the coverage report on the page is the one that its test prints", () => {
  const [report, ...others] = blocks("testing-programs.md", "text");
  assert.equal(others, []);
  const output = printed.get("firewall.test.ts")!;
  assert.ok(output.includes(report!), `the test prints:\n${output}`);
});

const exported = (code: string): string => code.replace(/^const /gm, "export const ");

function isProgramSource(value: unknown): value is { compile(): { instructions: readonly unknown[] } } {
  return typeof value === "object" && value !== null && "compile" in value;
}

test.run();
