import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { checkLayers, readLayers } from "./layers.ts";

const test = suite("layers");

const top = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string): string => readFileSync(top + path, "utf8");

test("the tree keeps the layers of docs/architecture.md", () => {
  const paths = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "--deduplicate", "*.ts"], {
    cwd: top,
    encoding: "utf8",
  });
  const { exports } = JSON.parse(read("package.json")) as { exports: Record<string, { default: string }> };
  const doors = new Map<string, string>();
  for (const [door, file] of Object.entries(exports)) {
    const source = /^\.\/dist\/(.*)\.js$/.exec(file.default);
    if (source !== null) doors.set(door.replace(".", "tsbpf"), `${source[1]}.ts`);
  }
  const files = new Map<string, string>();
  for (const path of paths.trim().split("\n")) if (existsSync(top + path)) files.set(path, read(path));
  const findings = checkLayers({ files, doors }, readLayers(read("docs/architecture.md")));
  assert.ok(findings.length === 0, findings.join("\n"));
});

/** The table of such a page, of folders and what they import. */
const table = (rows: Readonly<Record<string, string>>): string =>
  [
    "| folder | what is in it | imports |",
    "| --- | --- | --- |",
    ...Object.entries(rows).map(([folder, imports]) => `| \`${folder}\` | … | ${imports} |`),
    "",
  ].join("\n");

/** The findings in a tree of a few files. */
function findingsIn(files: Readonly<Record<string, string>>): string[] {
  const markdown = table({
    "src/low": "nothing",
    "src/high": "`low`",
    apps: "the package's doors",
    bench: "everything",
  });
  const doors = new Map([["tsbpf/high", "src/high/index.ts"]]);
  return checkLayers({ files: new Map(Object.entries(files)), doors }, readLayers(markdown));
}

const tree = {
  "src/low/index.ts": 'export { a } from "./a.ts";',
  "src/low/a.ts": "export const a = 1;",
  "src/high/index.ts": 'import { a } from "../low/index.ts";',
  "apps/app.ts": 'import { high } from "tsbpf/high";',
};

test("a tree that keeps the layers has no findings", () => assert.equal(findingsIn(tree), []));

for (const [what, path, text, finding] of [
  ["an import against the table", "src/low/a.ts", 'import "../high/index.ts";', "src/low may not import src/high"],
  [
    "a type import against the table",
    "src/low/a.ts",
    '\nimport type { H } from "../high/index.ts";',
    "src/low/a.ts:2 imports",
  ],
  [
    "a folder entered past its index.ts",
    "src/high/b.ts",
    'import { a } from "../low/a.ts";',
    "import src/low/index.ts",
  ],
  [
    "a test that enters a folder past its index.ts",
    "src/high/b.test.ts",
    'import "../low/a.ts";',
    "import src/low/index.ts",
  ],
  [
    "a cycle between two files",
    "src/low/a.ts",
    'import "./index.ts";',
    "src/low/index.ts → src/low/a.ts → src/low/index.ts",
  ],
  ["a file in no folder of the table", "src/other/x.ts", "", "src/other/x.ts is in no folder of the table"],
  [
    "a program that goes past the package's doors",
    "apps/b.ts",
    'import "../src/low/index.ts";',
    "the package's doors only",
  ],
  ["test support in use", "src/high/b.ts", 'import "../low/testing/t.ts";', "only tests import test support"],
] as const) {
  test(`${what} is found`, () => {
    const found = findingsIn({ ...tree, "src/low/testing/t.ts": "", [path]: text });
    assert.ok(found.length > 0 && found[0]!.includes(finding), found.join("\n"));
  });
}

test("tests and folders that import everything are free of the table", () => {
  assert.equal(
    findingsIn({
      ...tree,
      "src/low/a.test.ts": 'import "../high/index.ts";',
      "bench/b.ts": 'import "../src/low/index.ts";',
    }),
    [],
  );
});

test("a table that cannot be read is an error that names the row", () => {
  assert.throws(() => readLayers(""), /has no table with the heading/);
  assert.throws(() => readLayers(table({ a: "all of it" })), /row a: "imports" takes .* but it is "all of it"/);
  assert.throws(() => readLayers(table({ a: "`b`" })), /row a: src\/b has no row of its own/);
});

test.run();
