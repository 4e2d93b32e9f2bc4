/**
 * Every program's instructions, kept as text in snapshots/, so that a review
 * sees what a change does to them. `npm run snapshots` writes them anew.
 *
 * NAME.txt is the build with everything switched on; NAME.minimal.txt the one
 * with everything switched off, where that makes a difference.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Program } from "tsbpf";
import { formatListing } from "tsbpf/asm";
import { loadBalancerPrograms, type DataPathOptions } from "./index.ts";
import { builds } from "./testing/builds.ts";

const repository = fileURLToPath(new URL("..", import.meta.url));
const directory = fileURLToPath(new URL("snapshots", import.meta.url));
const update = process.argv.includes("--update");

const compiled = (options: DataPathOptions): Program[] =>
  loadBalancerPrograms(options).map((source) => source.compile());

function listing({ instructions, functions, maps, section, name }: Program): string {
  const head = [
    `; ${section}, program ${name}: ${instructions.length} instructions`,
    `; maps: ${maps.map((map) => map.name).join(", ")}`,
  ];
  const comment = ({ source }: (typeof instructions)[number]) =>
    source && `${relative(repository, source.file).split(sep).join("/")}:${source.line}`;
  return (
    `${head.join("\n")}\n\n` +
    `${formatListing(instructions, { labels: new Map(functions.map(({ name, start }) => [start, name])), comment })}`
  );
}

/** The lines without the numbers of lines of TypeScript: a comment more in there changes no program. */
const code = (text: string): string[] => text.split("\n").map((line) => line.replace(/:\d+$/, ""));

const everything = compiled(builds.full);
const nothing = compiled(builds.minimal);
const full = new Map(everything.map((program) => [`${program.name}.txt`, listing(program)]));
const minimal = new Map(
  nothing
    .map((program) => [program.name, listing(program)] as const)
    .filter(([name, text]) => text !== full.get(`${name}.txt`))
    .map(([name, text]) => [`${name}.minimal.txt`, text]),
);
const wanted = new Map([...full, ...minimal]);

if (update) {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  for (const [file, text] of wanted) writeFileSync(join(directory, file), text);
}

const test = suite("bytecode snapshots");

for (const [file, text] of wanted) {
  test(file, () => {
    const kept = readdirSync(directory).includes(file) ? readFileSync(join(directory, file), "utf8") : "";
    const [built, before] = [code(text), code(kept)];
    if (built.join() === before.join()) return;
    let line = 0;
    while (built[line] === before[line]) line++;
    // The whole difference is for `git diff` to show, once it is written.
    assert.unreachable(
      `the build differs from line ${line + 1} on:\n  built: ${built[line]}\n  kept:  ${before[line]}\n` +
        'if the change is meant, run "npm run snapshots" and review it with git diff',
    );
  });
}

test("no other listing is in the folder", () => {
  assert.equal(readdirSync(directory).sort(), [...wanted.keys()].sort(), 'run "npm run snapshots"');
});

test("disabled options add no bytecode", () => {
  const size = (programs: readonly Program[]) =>
    programs.reduce((sum, { instructions }) => sum + instructions.length, 0);
  assert.ok(size(nothing) < size(everything), `${size(nothing)} instructions against ${size(everything)}`);
});

test.run();
