/** docs/programs.md says how large the programs are. `npm run docs:programs` writes it anew. */
import { readFileSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { sizesPage } from "./testing/sizes.ts";

const page = new URL("../docs/programs.md", import.meta.url);

if (process.argv.includes("--update")) writeFileSync(page, sizesPage());

const test = suite("docs/programs.md");

test("matches the current build", () => {
  assert.is(readFileSync(page, "utf8"), sizesPage(), 'run "npm run docs:programs"');
});

test.run();
