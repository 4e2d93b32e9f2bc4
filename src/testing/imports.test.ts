import { suite } from "uvu";
import * as assert from "uvu/assert";
import { importsOf } from "./imports.ts";

const test = suite("imports of a source text");

const specifiers = (text: string): string[] => importsOf(text).map(({ specifier }) => specifier);

test("every form of import, with its line", () => {
  const text = `import "./a.ts";
import b, { type B } from "./b.ts";
import type * as c from './c.ts';
import {
  d,
} from "./d.ts";
export * from "./e.ts";
export { f } from "./f.ts"; export type { G } from "./g.ts";
const h = await import("./h.ts");
let i: import("./i.ts").I;
`;
  assert.equal(
    importsOf(text).map(({ specifier, line }) => `${specifier}:${line}`),
    ["./a.ts:1", "./b.ts:2", "./c.ts:3", "./d.ts:6", "./e.ts:7", "./f.ts:8", "./g.ts:8", "./h.ts:9", "./i.ts:10"],
  );
});

test("text that only looks like an import", () => {
  const inside = 'import "./no.ts"';
  assert.equal(specifiers(`// ${inside}\n/* ${inside} */ const s = '${inside}'; const t = \`${inside}\`;`), []);
  assert.equal(specifiers(`const r = /${inside.replaceAll("/", "[/]")}/; const u = "\\" ${inside}";`), []);
});

test("code around literals stays code", () => {
  assert.equal(specifiers('const q = a / b; import "./a.ts"; const r = c / d;'), ["./a.ts"]);
  assert.equal(specifiers('const r = /["`]/; import "./a.ts";'), ["./a.ts"]);
  assert.equal(specifiers('const t = `${f({ a: `}` })} import "./no.ts"`; import "./a.ts";'), ["./a.ts"]);
  assert.equal(specifiers('const t = `${await import("./a.ts")}`;'), ["./a.ts"]);
});

test.run();
