/**
 * Every operator and statement that TypeScript offers on a value of a running
 * program is refused, in the editor or at build, and what stands beside it in
 * the table is not. `npm run docs:mistakes` writes docs/mistakes.md anew.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { mistakeCases, rightPrograms } from "../src/dsl/testing/mistake-cases.ts";
import { mistakesPage, type Outcome } from "../src/dsl/testing/mistakes-page.ts";
import { BuildError } from "../src/dsl/index.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const page = join(root, "docs/mistakes.md");

/** A file with this program; what stands in the body begins at line 5. */
const fileOf = (body: string) => `import { be16, cgroup, hash, PROCEED, REJECT, u32, type Scalar } from "tsbpf";
const blocked = hash("blocked", { key: u32, value: u32, maxEntries: 8 });
const always: boolean = process.pid > 0;
export const program = cgroup.connect4("program", (b, ctx) => {
${body}
});
void be16, REJECT, u32, blocked, always, {} as Scalar<"u32">;
`;
const FIRST_LINE = 5;

/** Checks and builds files with these bodies, as `tsx FILE` does. */
async function outcomes(bodies: readonly string[]): Promise<readonly Outcome[]> {
  mkdirSync(join(root, ".cache"), { recursive: true });
  const folder = mkdtempSync(join(root, ".cache/mistakes-"));
  try {
    const files = bodies.map((body, index) => {
      const file = join(folder, `case-${index}.ts`);
      writeFileSync(file, fileOf(body));
      return file;
    });
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        extends: join(root, "tsconfig.json"),
        compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
        include: ["*.ts"],
      }),
    );
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const { stdout } = spawnSync(process.execPath, [tsc, "-p", folder, "--pretty", "false"], { encoding: "utf8" });
    const found: Outcome[] = [];
    for (const [index, file] of files.entries()) {
      const says = stdout.split("\n").filter((line) => line.includes(`case-${index}.ts`));
      found.push({ editor: says.map((line) => line.replace(/^.*?: error /, "")), build: await buildError(file) });
    }
    return found;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The error of building a file's program; undefined if it builds. */
async function buildError(file: string): Promise<{ readonly message: string; readonly line: number } | undefined> {
  const { program } = (await import(pathToFileURL(file).href)) as { program: { build(): unknown } };
  try {
    program.build();
    return undefined;
  } catch (error) {
    assert.instance(error, BuildError, String(error));
    const { message, source } = error as BuildError;
    assert.is(source?.file, file, message);
    return { message: message.replace(/ \(at .*\)$/, ""), line: source!.line - FIRST_LINE + 1 };
  }
}

const mistakes = await outcomes(mistakeCases.map(({ mistake }) => mistake));
const right = await outcomes([...mistakeCases.map(({ instead }) => instead), ...rightPrograms.map(({ body }) => body)]);

const test = suite("docs/mistakes.md");

for (const [index, { title, mistake, editor, build }] of mistakeCases.entries()) {
  const outcome = mistakes[index]!;
  test(`refused: ${title}`, () => {
    assert.ok(editor !== undefined || build !== undefined, "no case without a refusal");
    const said = outcome.editor.join("\n");
    assert.ok(editor === undefined ? said === "" : said.includes(editor), `the type checker says: ${said}`);
    assert.ok(
      build === undefined ? outcome.build === undefined : outcome.build?.message.includes(build),
      `the build says: ${outcome.build?.message}\n${mistake}`,
    );
  });
}

for (const [index, title] of [...mistakeCases, ...rightPrograms].map(({ title }) => title).entries()) {
  test(`right: ${title}, ${index}`, () => {
    assert.equal(right[index], { editor: [], build: undefined });
  });
}

test("the error names the line of the construct", () => {
  const lineOf = (title: string) => mistakes[mistakeCases.findIndex((each) => each.title === title)]!.build?.line;
  assert.is(lineOf("branch with `if`"), 1);
  assert.is(lineOf("branch with `if` on a condition in a variable"), 2);
  assert.is(lineOf("branch with `if` on a function's condition"), 2);
  assert.is(lineOf("go on after both branches have returned"), 6);
});

if (process.argv.includes("--update")) writeFileSync(page, mistakesPage(mistakeCases, mistakes));

test("is what the checker and the build say now", () => {
  assert.is(readFileSync(page, "utf8"), mistakesPage(mistakeCases, mistakes), 'run "npm run docs:mistakes"');
});

test.run();
