/** The API reference: current, complete, and with examples that the type checker accepts. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import ts from "typescript-classic";
import {
  commentOf,
  exportsOf,
  isFunction,
  isPrivate,
  type Declaration,
  type Export,
} from "./reference/declarations.ts";
import { parseDocComment } from "./reference/doc-comment.ts";
import { doors, ROOT } from "./reference/doors.ts";
import { namedHooks } from "./reference/hooks-page.ts";
import { membersOf, otherTypes, ownExports } from "./reference/page.ts";
import { pages } from "./reference/pages.ts";

const test = suite("docs/api");

const directory = join(ROOT, "docs/api");
const written = pages();

test("the pages are what npm run docs:api writes", () => {
  assert.equal(readdirSync(directory).sort(), [...written.keys()].sort());
  for (const [file, text] of written)
    assert.ok(
      readFileSync(join(directory, file), "utf8") === text,
      `docs/api/${file} is out of date: npm run docs:api`,
    );
});

const documented = (items: readonly { readonly declarations: readonly Declaration[] }[]): string[] =>
  items
    .flatMap(({ declarations }) => declarations)
    .flatMap((declaration) => [declaration, ...membersOf(declaration)])
    .flatMap((node) => commentOf(node) ?? []);

/** Everything that the pages show. */
const shown = doors().flatMap((door) => {
  const own = ownExports(door);
  return [...own, ...otherTypes(own)];
});

test("every example passes the type checker", () => {
  const examples = documented(shown).flatMap((comment) => parseDocComment(comment).examples);
  assert.ok(examples.length > 100, `${examples.length} examples`);
  mkdirSync(join(ROOT, ".cache"), { recursive: true });
  const folder = mkdtempSync(join(ROOT, ".cache/api-examples-"));
  try {
    examples.forEach((code, i) => writeFileSync(join(folder, `${i}.ts`), `${code}\nexport {};\n`));
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        extends: join(ROOT, "tsconfig.json"),
        include: ["*.ts"],
        compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
      }),
    );
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", folder, "--pretty", "false"], {
      encoding: "utf8",
    });
    const withCode = stdout.replace(/^\S*?(\d+)\.ts/gm, (file, i: string) => `${examples[Number(i)]}${file}`);
    assert.is(status, 0, withCode);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Errors are thrown by functions, whose examples show them where that helps. */
const isError = (declaration: Declaration): boolean =>
  ts.isClassDeclaration(declaration) && /Error$|Fault$/.test(declaration.name!.text);

test("every public function has an example", () => {
  const without = shown
    .filter(({ declarations }) => declarations.some((declaration) => isFunction(declaration) && !isError(declaration)))
    .filter(({ declarations }) =>
      documented([{ declarations }]).every((comment) => parseDocComment(comment).examples.length === 0),
    )
    .map(({ name, file }) => `${file} ${name}`);
  assert.equal(without, [], `${without.length} have none`);
});

test("every export has a comment", () => {
  const without = doors()
    .flatMap(ownExports)
    .filter(
      ({ declarations }) =>
        declarations.length > 0 && declarations.every((declaration) => commentOf(declaration) === undefined),
    )
    .map(({ name, file }) => `${file} ${name}`);
  assert.equal(without, [], `${without.length} have none`);
});

test("every export, hook and builder method is in the docs", () => {
  const texts = [
    ...written.values(),
    ...[...readdirSync(join(ROOT, "docs"))]
      .filter((file) => file.endsWith(".md"))
      .map((file) => readFileSync(join(ROOT, "docs", file), "utf8")),
  ];
  const words = new Set(texts.join("\n").match(/\w+/g));
  const names = {
    exports: doors().flatMap((door) => exportsOf(door.file).map(({ name }) => name)),
    hooks: namedHooks.map(([name]) => name.split(".").at(-1)!),
    methods: builderMethods(),
  };
  for (const [what, wanted] of Object.entries(names)) {
    assert.ok(wanted.length >= 18, `${wanted.length} ${what}`);
    assert.equal(
      wanted.filter((name) => !words.has(name)),
      [],
      `${what} that no page names`,
    );
  }
});

/** Methods of the builder, of its helpers, and of the values that it gives. */
function builderMethods(): string[] {
  const types = new Map(shown.map((item) => [item.name, item as Export]));
  const names = [...types.keys()].filter((name) =>
    /^(CoreBuilder|Nullable|Condition|HostScalar|BigEndianScalar|Comparable|Mutable)$|Helpers$/.test(name),
  );
  return names.flatMap((name) =>
    types
      .get(name)!
      .declarations.flatMap(membersOf)
      .flatMap((member) =>
        (ts.isMethodSignature(member) || ts.isMethodDeclaration(member)) && !isPrivate(member)
          ? [member.name.getText()]
          : [],
      ),
  );
}

test.run();
