/**
 * The names that each door of the package exports, types included, beside the list in exports.txt. A name that a
 * door gains or loses is a decision: `npx tsx src/doors/exports.test.ts --update` writes it down.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const root = fileURLToPath(new URL("../../", import.meta.url));
const KEPT = fileURLToPath(new URL("exports.txt", import.meta.url));

const { exports: doors } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  exports: Record<string, string | { readonly types: string; readonly default: string }>;
};

/** A door's source file, by its specifier. */
const sources = new Map(
  Object.entries(doors).flatMap(([subpath, target]): [string, string][] =>
    typeof target === "string"
      ? []
      : [[subpath.replace(/^\./, "tsbpf"), join(root, target.default.replace(/^\.\/dist\//, "").replace(/js$/, "ts"))]],
  ),
);

/** The names that a module exports: values as they are, types after `type `. */
function exportedNames(file: string): string[] {
  const text = readFileSync(file, "utf8").replace(/\/\*[^]*?\*\//g, "");
  const names: string[] = [];
  for (const [, type, list] of text.matchAll(/^export (type )?\{([^}]*)\}/gm)) {
    for (const part of list!.replace(/\/\/.*$/gm, "").split(",")) {
      const [, isType, name] = /^\s*(type )?(?:\w+ as )?(\w+)\s*$/.exec(part) ?? [];
      if (name !== undefined) names.push(type || isType ? `type ${name}` : name);
    }
  }
  for (const [, other] of text.matchAll(/^export \* from "([^"]+)"/gm)) {
    names.push(...exportedNames(join(dirname(file), other!)));
  }
  for (const [, name] of text.matchAll(/^export \* as (\w+) from/gm)) names.push(name!);
  for (const [, kind, name] of text.matchAll(
    /^export (?:abstract |async )?(const|function\*?|class|interface|type) (\w+)/gm,
  )) {
    names.push(kind === "interface" || kind === "type" ? `type ${name!}` : name!);
  }
  return names;
}

const listed = [...sources]
  .map(
    ([specifier, file]) =>
      `${specifier}\n${[...new Set(exportedNames(file))]
        .map((name) => `  ${name}\n`)
        .sort()
        .join("")}`,
  )
  .join("\n");

if (process.argv.includes("--update")) writeFileSync(KEPT, listed);

const test = suite("the package's doors");

test("each exports the names in the kept list", () => {
  assert.snapshot(listed, readFileSync(KEPT, "utf8"));
});

for (const [specifier, file] of sources) {
  test(`${specifier}: the list has every value that the module exports`, async () => {
    assert.ok(existsSync(file), file);
    const module = (await import(file)) as object;
    const values = exportedNames(file).filter((name) => !name.startsWith("type "));
    assert.equal([...new Set(values)].sort(), Object.keys(module).sort());
  });
}

test("internal names are behind no door", () => {
  for (const name of ["alignUp", "none", "scalarShape", "structWithLayout", "withInitialValue", "withoutMapping"]) {
    assert.not.match(listed, new RegExp(`^  ${name}$`, "m"));
  }
});

test.run();
