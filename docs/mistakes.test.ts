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
import { messageCases } from "../src/dsl/testing/message-cases.ts";
import { mistakesPage, type Outcome } from "../src/dsl/testing/mistakes-page.ts";
import { CompileError } from "../src/compiler/index.ts";
import { BuildError } from "../src/dsl/index.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const page = join(root, "docs/mistakes.md");

const names =
  "arrayOf, be16, cgroup, Errno, hash, helper, ipv4, percpuArray, PROCEED, REJECT, struct, u32, u64, u8, type Scalar";

/** A file with this program; what stands in the body begins at line 5. */
const fileOf = (body: string, hook = "cgroup.connect4") => `import { ${names} } from "tsbpf";
const blocked = hash("blocked", { key: u32, value: u32, maxEntries: 8 });
const always: boolean = process.pid > 0;
export const program = ${hook}("program", (b, ctx) => {
${body}
});
`;
const FIRST_LINE = 5;

/** Checks and builds files with these bodies, as `tsx FILE` does. */
async function outcomes(
  programs: readonly { readonly body: string; readonly hook?: string | undefined }[],
): Promise<readonly Outcome[]> {
  mkdirSync(join(root, ".cache"), { recursive: true });
  const folder = mkdtempSync(join(root, ".cache/mistakes-"));
  try {
    const files = programs.map(({ body, hook }, index) => {
      const file = join(folder, `case-${index}.ts`);
      writeFileSync(file, fileOf(body, hook));
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
      const says = stdout.split(/\n(?!\s)/).filter((line) => line.includes(`case-${index}.ts`));
      found.push({ editor: says.map((line) => line.replace(/^.*?: error /, "")), build: await buildError(file) });
    }
    return found;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The error of building a file's program; undefined if it builds. */
async function buildError(file: string): Promise<{ readonly message: string; readonly line: number } | undefined> {
  const { program } = (await import(pathToFileURL(file).href)) as { program: { compile(): unknown } };
  try {
    program.compile();
    return undefined;
  } catch (error) {
    assert.ok(error instanceof BuildError || error instanceof CompileError, String(error));
    const { message, source } = error;
    assert.is(source?.file, file, message);
    return {
      message: message.replace(/ \(at .*\)$/, "").replaceAll(file, "program.ts"),
      line: source!.line - FIRST_LINE + 1,
    };
  }
}

const cases = [...mistakeCases, ...messageCases];
const mistakes = await outcomes(cases.map(({ mistake, hook }) => ({ body: mistake, hook })));
const right = await outcomes([...cases.map(({ instead, hook }) => ({ body: instead, hook })), ...rightPrograms]);

const test = suite("docs/mistakes.md");

for (const [index, { title, mistake, editor, build }] of cases.entries()) {
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

for (const [index, title] of [...cases, ...rightPrograms].map(({ title }) => title).entries()) {
  test(`right: ${title}, ${index}`, () => {
    assert.equal(right[index], { editor: [], build: undefined });
  });
}

test("the error names the line of the construct", () => {
  const lineOf = (title: string) => mistakes[cases.findIndex((each) => each.title === title)]!.build?.line;
  assert.is(lineOf("branch with `if`"), 1);
  assert.is(lineOf("branch with `if` on a condition in a variable"), 2);
  assert.is(lineOf("branch with `if` on a function's condition"), 2);
  assert.is(lineOf("go on after both branches have returned"), 6);
});

if (process.argv.includes("--update")) writeFileSync(page, mistakesPage(cases, mistakes));

test("is what the checker and the build say now", () => {
  assert.is(readFileSync(page, "utf8"), mistakesPage(cases, mistakes), 'run "npm run docs:mistakes"');
});

test.run();
