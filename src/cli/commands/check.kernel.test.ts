import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import { exit, mov, program, r0, type Program } from "../../asm/index.ts";
import { writeObject } from "../../elf/index.ts";
import { kernelSuite, withDirectory, TSX } from "../../testing/index.ts";
import { ProgramType } from "../../types/index.ts";

const test = kernelSuite("cli: check");

const TSBPF = fileURLToPath(new URL("../tsbpf.ts", import.meta.url));
const DOOR = new URL("../../index.ts", import.meta.url).href;
const ASSEMBLER = new URL("../../asm/index.ts", import.meta.url).href;

const FILE = `
import { AttachType, cgroup, hash, PROCEED, ProgramType, u32 } from "${DOOR}";
import { add, at, call, exit, load, loadMap, mov, program, r0, r1, r2, r10, store } from "${ASSEMBLER}";
const numbers = hash("numbers", { key: u32, value: u32, maxEntries: 4 });
export const good = cgroup.connect4("good", (b) => {
  b.lookup(numbers, 0).ifFound((number) => number.value.set(1));
  return PROCEED;
});
export const bad = program({
  name: "bad", type: ProgramType.CGROUP_SOCK_ADDR, expectedAttachType: AttachType.CGROUP_INET4_CONNECT,
  section: "cgroup/connect4", maps: [numbers],
  items: [
    store("u32", r10, -4, 0), mov(r2, r10), add(r2, -4), loadMap(r1, numbers), call("bpf_map_lookup_elem"),
    at({ file: "/project/bad.ts", line: 12, column: 3 }, load("u32", r0, r0, 0)), mov(r0, 1), exit(),
  ],
});
`;

const check = (...args: readonly string[]) => checkFile("programs.ts", FILE, ...args);

const checkFile = (name: string, content: string | Uint8Array, ...args: readonly string[]) =>
  withDirectory((directory) => {
    const file = join(directory, name);
    writeFileSync(file, content);
    return spawnSync(process.execPath, [...TSX, TSBPF, "check", file, ...args], {
      encoding: "utf8",
      env: { ...process.env, NO_COLOR: "1" },
    });
  });

test("accepted programs are a table; refusals have the line, the steps before it and a hint", () => {
  const { status, stdout, stderr } = check();
  assert.is(status, 1, stderr);
  assert.match(
    stdout,
    /^PROGRAM +HOOK +INSTRUCTIONS +VERIFIED +JITED BYTES\ngood +cgroup\/connect4 +\d+ +\d+ +\d+\n\n/,
  );
  assert.match(
    stdout,
    new RegExp(
      String.raw`program bad: BPF_PROG_LOAD failed with EACCES: the verifier refuses it at instruction 6 ` +
        String.raw`\(/project/bad\.ts:12:3\): R0 invalid mem access 'map_value_or_null'\n`,
    ),
  );
  assert.match(stdout, /\n {6}5: call bpf_map_lookup_elem#1 .*map_value_or_null/);
  assert.match(stdout, /\n> +6: r0 = \*\(u32 \*\)\(r0 \+0\)/);
  assert.match(stdout, /\nhint: the pointer may be null here/);
});

test("--program, --log and --json", () => {
  const good = check("--program", "good", "--log");
  assert.is(good.status, 0, good.stderr);
  assert.match(good.stdout, /^good\n[^]*processed \d+ insns[^]*\nPROGRAM/);
  const verdicts = JSON.parse(check("--json").stdout) as {
    name: string;
    accepted: boolean;
    error?: { reason: string; source: { line: number }; log: string };
  }[];
  assert.equal(verdicts.map(({ name, accepted }) => `${name} ${accepted}`).sort(), ["bad false", "good true"]);
  const { error } = verdicts.find(({ name }) => name === "bad")!;
  assert.equal([error!.reason, error!.source.line], ["R0 invalid mem access 'map_value_or_null'", 12]);
  assert.match(error!.log, /invalid mem access/);
});

const xdp = (name: string, section: string): Program =>
  program({ name, type: ProgramType.XDP, section, items: [mov(r0, 2), exit()] });

test("an object file: what it cannot load is named, and does not hide the rest", () => {
  const { status, stdout } = checkFile(
    "two.bpf.o",
    writeObject([xdp("pass", "xdp"), xdp("entry", "fentry/do_nanosleep")]),
  );
  assert.is(status, 1);
  assert.match(stdout, /\npass +xdp +2 +/);
  assert.match(stdout, /\nprogram entry cannot be loaded: section fentry\/do_nanosleep, symbol entry: /);
  const one = checkFile("one.bpf.o", writeObject([xdp("pass", "xdp")]), "--json");
  assert.is(one.status, 0, one.stderr);
  assert.equal(
    (JSON.parse(one.stdout) as { name: string; accepted: boolean }[]).map(({ name, accepted }) => [name, accepted]),
    [["pass", true]],
  );
  const absent = checkFile("one.bpf.o", writeObject([xdp("pass", "xdp")]), "--program", "drop");
  assert.match(absent.stderr, /has no program drop\nhint: it has pass/);
});

test.run();
