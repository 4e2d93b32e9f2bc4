/** Common to all commands: help, exit codes, errors, streams. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { TSX, withDirectory } from "../testing/index.ts";
import { main } from "./main.ts";
import { packageVersion } from "./package-file.ts";
import { findCommand, rootCommand } from "./root.ts";

const test = suite("cli: every command");

const TSBPF = fileURLToPath(new URL("tsbpf.ts", import.meta.url));

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line in this process, which is faster than starting one. */
async function tsbpf(...argv: readonly string[]): Promise<Outcome> {
  const streams = { stdout: "", stderr: "" };
  const writes = { stdout: process.stdout.write, stderr: process.stderr.write };
  for (const name of ["stdout", "stderr"] as const)
    process[name].write = (text: string | Uint8Array) => ((streams[name] += String(text)), true);
  try {
    return { status: await main(argv), ...streams };
  } finally {
    process.exitCode = undefined;
    process.stdout.write = writes.stdout;
    process.stderr.write = writes.stderr;
  }
}

/** Runs the command like a user, in the shell's words: `shell("tsbpf --help | head -1")`. */
function shell(script: string, cwd?: string): Outcome {
  const command = `tsbpf() { ${[process.execPath, ...TSX, TSBPF].map((word) => `'${word}'`).join(" ")} "$@"; }`;
  const { status, stdout, stderr } = spawnSync("bash", ["-c", `${command}\n${script}`], {
    cwd,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  return { status, stdout, stderr };
}

const below = (command: Command): Command[] => [command, ...command.commands.flatMap(below)];

/** The text of `--help`. */
function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (part) => void (text += part) });
  command.outputHelp();
  return text;
}

const root = await rootCommand(() => true);

test("the help of every command has examples, and each is a command line that exists", async () => {
  for (const command of below(root)) {
    const help = helpOf(command);
    const [, examples] = /\nExamples?:\n((?:  \S.*\n)+)/.exec(help) ?? [];
    assert.ok(examples, `tsbpf ${command.name()} --help has no example`);
    for (const line of examples!.trim().split("\n")) {
      const [, words] = /\btsbpf ([^|)>]*)/.exec(line.slice(line.lastIndexOf("| tsbpf ") + 1))!;
      const names = words!.trim().split(/\s+/);
      if (names[0] === "help") continue;
      const depth = names[0] === "map" ? 2 : 1;
      const found = await findCommand(names.slice(0, depth));
      for (const flag of names.filter((name) => name.startsWith("--")))
        assert.ok(
          found.options.some(({ long }) => long === flag),
          `${line.trim()}: there is no option ${flag}`,
        );
    }
  }
});

test("help for a nested command is the same by each spelling", async () => {
  const { status, stdout } = await tsbpf("help", "map", "dump");
  assert.is(status, 0);
  assert.match(stdout, /^Usage: tsbpf map dump \[options\] <name>\n/);
  assert.match(stdout, "--all");
  assert.is((await tsbpf("map", "dump", "--help")).stdout, stdout);
  assert.is((await tsbpf("map", "help", "dump")).stdout, stdout);
  assert.match((await tsbpf("help")).stdout, /^Usage: tsbpf /);
  assert.equal(await tsbpf("help", "map", "dumb"), {
    status: 2,
    stdout: "",
    stderr: "error: there is no command tsbpf map dumb\nhint: there are list, dump\n",
  });
});

test("versions", async () => {
  assert.is((await tsbpf("--version")).stdout, `${packageVersion()}\n`);
  assert.is((await tsbpf("-V")).stdout, `${packageVersion()}\n`);
  const { stdout } = await tsbpf("version", "--json");
  const { tsbpf: own, node, kernel } = JSON.parse(stdout) as Record<string, string>;
  assert.equal([own, node], [packageVersion(), process.version]);
  assert.match(kernel!, release());
});

test("a wrong call ends with 2, a failure with 1; nothing has a stack trace", async () => {
  const wrong = [
    "",
    "nosuch",
    "map",
    "map nosuch",
    "map dump",
    "map list too many",
    "load --nosuch",
    "status --pin",
    "disasm --id x",
    "disasm a --id 1",
    "run --budget x",
    "run a b c",
    "completion tcsh",
    "monitor --count 0",
    "build",
    "build a.ts --emit c",
    "build a.ts --stage all",
    "metrics --prometheus --nosuch",
  ];
  const failed = [
    "disasm nofile.o",
    "disasm nofile",
    "disasm /dev/zero",
    "asm /",
    "asm nofile.s",
    "check /",
    "check /dev/zero",
    "build nofile.ts",
    "load --config /dev/zero",
    "demo --config /",
  ];
  for (const [i, words] of [...wrong, ...failed].entries()) {
    const { status, stdout, stderr } = await tsbpf(...words.split(" ").filter((word) => word !== ""));
    assert.is(status, i < wrong.length ? 2 : 1, `tsbpf ${words}: ${stderr}`);
    assert.is(stdout, "", `tsbpf ${words}`);
    assert.match(stderr, /^(error: .|Usage: )/, `tsbpf ${words}`);
    assert.not.match(stderr, /\n {4}at |ENOENT|EISDIR|node:/, `tsbpf ${words}`);
  }
});

test("with --json an error is one object on standard error, and standard output has whole documents only", async () => {
  for (const [words, status, name, message] of [
    ["status --json --pin /nowhere", 1, "LoadBalancerError", "nothing is loaded: there are no pins at /nowhere"],
    ["status --json --nosuch", 2, "UsageError", "unknown option '--nosuch'"],
    ["map dump --json", 2, "UsageError", "missing required argument 'name'"],
    ["map --json", 2, "UsageError", "unknown option '--json'"],
    ["check nofile.ts --json", 1, "CommandError", "cannot read nofile.ts: no such file"],
    ["disasm --json --id x", 2, "UsageError", "--id takes a program's id"],
  ] as const) {
    const outcome = await tsbpf(...words.split(" "));
    assert.is(outcome.status, status, words);
    const { error } = JSON.parse(outcome.stderr) as { error: { name: string; message: string } };
    assert.is(error.name, name, words);
    assert.ok(error.message.startsWith(message), error.message);
    if (outcome.stdout !== "") JSON.parse(outcome.stdout);
  }
  await withDirectory(async (directory) => {
    const file = join(directory, "wrong.yaml");
    writeFileSync(file, "services: [1, 2]\n");
    const { stderr } = await tsbpf("load", "--json", "--config", file);
    const { error } = JSON.parse(stderr) as { error: { name: string; hint: string; problems: { line: number }[] } };
    assert.is(error.name, "ConfigError");
    assert.equal(
      error.problems.map(({ line }) => line),
      [1, 1],
    );
    assert.match(error.hint, "correct the file");
  });
});

test("a full disk is one line of error; a reader that stops early is none", () => {
  const message = "cannot write to standard output: no space left on the device";
  for (const words of ["--help", "completion bash"])
    assert.equal(shell(`tsbpf ${words} > /dev/full`), { status: 1, stdout: "", stderr: `error: ${message}\n` }, words);
  assert.equal(JSON.parse(shell("tsbpf version --json > /dev/full").stderr), { error: { message, code: "ENOSPC" } });
  // The input is longer than a pipe holds.
  const closed = shell(
    'for i in $(seq 20000); do echo "r1 = $i"; done > long.s; ' +
      'tsbpf asm long.s | head -1; echo "${PIPESTATUS[@]}"; rm long.s',
    "/tmp",
  );
  assert.equal(closed, { status: 0, stdout: "b701000001000000\n0 0\n", stderr: "" });
  const silent = shell("tsbpf nosuch 2> /dev/full");
  assert.equal([silent.status, silent.stderr], [2, ""]);
});

/** The completions that bash proposes for the last word of each list. */
function completions(script: string, lists: readonly (readonly string[])[], cwd: string): string[][] {
  const questions = lists.map(
    (words) =>
      `COMP_WORDS=(tsbpf ${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length}; _tsbpf; ` +
      "printf '%s\\n' \"${COMPREPLY[@]}\"; echo ==",
  );
  return execFileSync("bash", ["-c", [script, ...questions].join("\n")], { cwd, encoding: "utf8" })
    .split("==\n")
    .map((text) => text.split("\n").filter((word) => word !== ""));
}

test("bash completes every command, option and choice, and files", () =>
  withDirectory(async (directory) => {
    const script = (await tsbpf("completion", "bash")).stdout;
    const pathOf = (command: Command): string[] =>
      command.parent === null ? [] : [...pathOf(command.parent), command.name()];
    writeFileSync(join(directory, "two words.yaml"), "");
    mkdirSync(join(directory, "two folders"));
    symlinkSync("nowhere", join(directory, "other"));
    /** Words, and what is proposed for the last: exactly, or among others. */
    const cases: [words: readonly string[], expected: readonly string[], exactly: boolean][] = [
      [["ma"], ["map"], true],
      [["map", "d"], ["dump"], true],
      [["help", "map", "d"], ["dump"], true],
      [["completion", ""], ["bash", "zsh", "fish"], true],
      [["disasm", "--slots", "--so"], ["--source"], true],
      [["load", "--config", "two"], ["two folders", "two words.yaml"], true],
      [["load", "--cgroup", "two"], ["two folders"], true],
      [["build", "two"], ["two folders", "two words.yaml"], true],
      [["monitor", "--pid", ""], [], true],
    ];
    for (const command of below(root)) {
      const path = pathOf(command);
      const flags = command.options.flatMap(({ long, short }) => [long, short]).filter((flag) => flag !== undefined);
      cases.push([[...path, "-"], flags, false]);
      cases.push([[...path, ""], command.commands.map((each) => each.name()), false]);
      for (const { long, argChoices } of command.options)
        if (argChoices !== undefined) cases.push([[...path, long!, ""], argChoices, true]);
    }
    const lists = cases.map(([words]) => words);
    for (const [i, proposed] of completions(script, lists, directory).slice(0, -1).entries()) {
      const [words, expected, exactly] = cases[i]!;
      const relevant = exactly ? proposed : proposed.filter((word) => expected.includes(word));
      assert.equal([...new Set(relevant)].sort(), [...expected].sort(), `tsbpf ${words.join(" ")}`);
    }
  }));

for (const [name, check] of [
  ["zsh", ["-n"]],
  ["fish", ["--no-execute"]],
] as const) {
  test(`${name} can read its script, which has every command and option`, () =>
    withDirectory(async (directory) => {
      const script = (await tsbpf("completion", name)).stdout;
      const file = join(directory, "completion");
      writeFileSync(file, script);
      const parsed = spawnSync(name, [...check, file], { encoding: "utf8" });
      if (parsed.error === undefined) assert.equal([parsed.status, parsed.stderr], [0, ""]);
      for (const command of below(root))
        for (const { long } of command.options)
          assert.match(script, name === "fish" ? `-l ${long!.slice(2)} ` : `${long}:`, `${command.name()} ${long}`);
    }));
}

test.run();
