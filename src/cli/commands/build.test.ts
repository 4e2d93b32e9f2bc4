import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CommanderError } from "commander";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readObject } from "../../elf/index.ts";
import { eventually, TSX } from "../../testing/index.ts";
import { CommandError, UsageError } from "../errors.ts";
import { runCommand } from "../testing/run-command.ts";
import { command } from "./build.ts";

const test = suite<{ directory: string }>("cli: build");

const TSBPF = fileURLToPath(new URL("../tsbpf.ts", import.meta.url));
const TOOLKIT = new URL("../../index.ts", import.meta.url).href;
const ASSEMBLER = new URL("../../asm/index.ts", import.meta.url).href;

const SOURCE = `
import { array, cgroup, PROCEED, u64 } from "${TOOLKIT}";
import { exit, mov, program, r0 } from "${ASSEMBLER}";
import { limit } from "./limit.ts";

const hits = array("hits", { value: u64, maxEntries: limit });
export const count = cgroup.connect4("count", (b) => {
  b.lookup(hits, 0).ifFound((found) => found.value.atomicAdd(1));
  return PROCEED;
});
export default [program({ name: "raw", type: 6, section: "xdp", items: [mov(r0, 2), exit()] }), [count]];
export const notAProgram = { name: "other" };
`;

test.before((context) => {
  context.directory = mkdtempSync(join(tmpdir(), "tsbpf-build-"));
  const file = (name: string, text: string) => writeFileSync(join(context.directory, name), text);
  file("package.json", '{ "type": "module" }');
  file("programs.ts", SOURCE);
  file("limit.ts", "export const limit = 5;\n");
  file("bad-syntax.ts", "export const = 1;\n");
  file("throws.ts", 'export {};\nthrow new Error("the disk is on fire");\n');
  file("functions.ts", "export function makePrograms() { return []; }\n");
  file(
    "fails.ts",
    `import { cgroup } from "${TOOLKIT}";\n` +
      `export const sad = cgroup.connect4("sad", () => {\n  throw new Error("no idea");\n});\n`,
  );
});
test.after((context) => rmSync(context.directory, { recursive: true }));

/** Runs the command in its own process, like a user. */
function tsbpf(cwd: string, ...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...TSX, TSBPF, "build", ...args], {
    cwd,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  return { status, stdout, stderr };
}

const run = (...args: readonly string[]) => runCommand(command(), ...args);

test("an object file has every program of a file once, with source lines", ({ directory }) => {
  const { status, stdout, stderr } = tsbpf(directory, "programs.ts");
  assert.equal([status, stderr], [0, ""]);
  assert.match(stdout, /^PROGRAM +SECTION +INSTRUCTIONS +FUNCTIONS +MAPS\n/);
  assert.match(stdout, /\ncount +cgroup\/connect4 +\d+ +1 +hits\n/);
  assert.match(stdout, /\nraw +xdp +2 +1\nprograms\.bpf\.o: [\d,]+ bytes\n$/);
  const { programs, maps, license } = readObject(readFileSync(join(directory, "programs.bpf.o")));
  assert.equal(programs.map(({ name, section }) => `${name} ${section}`).sort(), ["count cgroup/connect4", "raw xdp"]);
  assert.equal(
    maps.map(({ name, maxEntries }) => [name, maxEntries]),
    [["hits", 5]],
  );
  assert.is(license, "Dual MIT/GPL");
  const lines = programs.find(({ name }) => name === "count")!.instructions.map(({ source }) => source?.text?.trim());
  assert.ok(lines.includes("b.lookup(hits, 0).ifFound((found) => found.value.atomicAdd(1));"), String(lines));
});

test("--program, --output, --json and --no-source-text", async ({ directory }) => {
  const output = join(directory, "one.o");
  const document = JSON.parse(
    await run(join(directory, "programs.ts"), "--program", "count", "-o", output, "--json", "--no-source-text"),
  );
  const bytes = readFileSync(output);
  const { instructions, ...shown } = document.programs[0] as { instructions: number };
  assert.equal(
    { ...document, programs: [shown] },
    {
      output,
      bytes: bytes.length,
      license: "Dual MIT/GPL",
      programs: [{ name: "count", section: "cgroup/connect4", functions: ["count"], maps: ["hits"] }],
    },
  );
  assert.is(readObject(bytes).programs[0]!.instructions.length, instructions);
  assert.not.ok(bytes.includes("ifFound"));
});

test("--emit: assembly, bytes, intermediate form", async ({ directory }) => {
  const file = join(directory, "programs.ts");
  const output = join(directory, "raw.bin");
  assert.is(
    await run(file, "--program", "raw", "--emit", "asm"),
    "; section xdp, program raw\nraw:\n  r0 = 2\n  exit\n",
  );
  assert.is(await run(file, "--program", "raw", "--emit", "bytes"), "b700000002000000\n9500000000000000\n");
  assert.match(
    await run(file, "--program", "count", "--emit", "ir"),
    /^; program count\nfunction count\(v0: ptr\)\nb0:\n[^]*atomic-add8/,
  );
  await run(file, "--program", "raw", "--emit", "bytes", "-o", output);
  assert.is(readFileSync(output).toString("hex"), "b7000000020000009500000000000000");
});

const refused: readonly [args: readonly [string, ...string[]], message: RegExp, hint?: RegExp][] = [
  [["absent.ts"], /^cannot read .*absent\.ts: no such file$/],
  [["bad-syntax.ts"], /^cannot import .*bad-syntax\.ts: [^]*bad-syntax\.ts:1:13/],
  [["functions.ts"], /^.*functions\.ts exports no programs$/, /^it exports functions \(makePrograms\)/],
  [["fails.ts"], /^.*fails\.ts: cannot build program sad: no idea \(at .*fails\.ts:3:9\)$/],
  [["programs.ts", "--program", "zero"], /^.*programs\.ts exports no program zero$/, /^it exports count, raw$/],
  [["programs.ts", "-o", "/no/such/directory/x.o"], /^cannot write \/no\/such\/directory\/x\.o: there is no such file/],
  [
    ["programs.ts", "--types"],
    /^cannot check the types of .*programs\.ts: its project has no TypeScript$/,
    /^npm install/,
  ],
  [["programs.ts", "--emit", "ir"], /^.*programs\.ts: program raw is written in assembly/],
];

for (const [[file, ...options], message, hint] of refused) {
  test(`refused: ${[file, ...options].join(" ")}`, async ({ directory }) => {
    let error: unknown;
    await run(join(directory, file), ...options).catch((reason: unknown) => (error = reason));
    assert.instance(error, CommandError);
    assert.match((error as CommandError).message, message);
    if (hint !== undefined) assert.match((error as CommandError).hint!, hint);
  });
}

test("usage errors differ from failures", async ({ directory }) => {
  for (const [args, kind] of [
    [[join(directory, "programs.ts"), "--emit", "bytes", "-o", "x"], UsageError],
    [[join(directory, "programs.ts"), "--emit", "nothing"], CommanderError],
    [[], CommanderError],
  ] as const) {
    let error: unknown;
    await run(...args).catch((reason: unknown) => (error = reason));
    assert.instance(error, kind);
  }
});

test("an error thrown by the file is one line with its position, without a stack trace", ({ directory }) => {
  const { status, stdout, stderr } = tsbpf(directory, "throws.ts");
  assert.equal([status, stdout], [1, ""]);
  assert.match(stderr, /^error: cannot import throws\.ts: the disk is on fire \(at .*throws\.ts:2:7\)\n$/);
});

test("--watch rebuilds when an imported file is saved, even after a failed build", async ({ directory }) => {
  const limit = join(directory, "limit.ts");
  const output = join(directory, "watched.o");
  const entries = () => readObject(readFileSync(output)).maps[0]!.maxEntries;
  const child = spawn(process.execPath, [...TSX, TSBPF, "build", "programs.ts", "-o", output, "--watch"], {
    cwd: directory,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  try {
    await eventually(() => assert.is(entries(), 5), 20_000);
    // The files to watch are known only after the first build; a save in between is noticed too.
    writeFileSync(limit, "export const limit = ;\n");
    await eventually(() => assert.match(errors, /limit\.ts has changed[^]*error: cannot import programs\.ts/), 20_000);
    writeFileSync(limit, "export const limit = 7;\n");
    await eventually(() => assert.is(entries(), 7), 20_000);
  } finally {
    child.kill("SIGINT");
    await once(child, "exit");
  }
});

test.run();
