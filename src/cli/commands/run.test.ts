/** `tsbpf run` as a process: its output and exit codes. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { TSX } from "../../testing/index.ts";

const test = suite("tsbpf run");
const COMMAND = fileURLToPath(new URL("../tsbpf.ts", import.meta.url));

function run(args: readonly string[], input: string): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...TSX, COMMAND, "run", ...args], {
    input,
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

/** r0 = *(u8 *)(r1 + 1); exit */
const LOAD = "71 10 01 00 00 00 00 00  95 00 00 00 00 00 00 00";
/** r0 = -1; exit */
const MINUS_ONE = "b7000000ffffffff\n9500000000000000\n";

test("prints r0 in hexadecimal digits, and nothing else", () => {
  assert.equal(run([], MINUS_ONE), { status: 0, stdout: "ffffffffffffffff\n", stderr: "" });
});

test("takes memory with any white space, and the conformance suite's empty second argument", () => {
  assert.equal(run(["aa  \tbc\n", ""], LOAD), { status: 0, stdout: "bc\n", stderr: "" });
});

test("every error is one line on standard error and a non-zero exit code", () => {
  const wrong: [args: string[], input: string, message: RegExp][] = [
    [[], LOAD, /instruction 0 \(r0 = \*\(u8 \*\)\(r1 \+ 1\)\): access through a null pointer \(at 0x1\)/],
    [["--budget", "10"], "05 00 ff ff 00 00 00 00", /budget of 10 instructions is exhausted/],
  ];
  for (const [args, input, message] of wrong) {
    const { status, stdout, stderr } = run(args, input);
    assert.is(status, 1);
    assert.is(stdout, "");
    assert.match(stderr, message);
    assert.is(stderr.split("\n").length, 2, stderr);
  }
});

test("--batch: one JSON object per line, in and out, continuing after errors", () => {
  const exchanges: [request: object | string, result: object | RegExp][] = [
    [{ program: MINUS_ONE }, { result: "ffffffffffffffff" }],
    [{ program: LOAD }, /null pointer/],
    [{ program: LOAD, memory: "01 02" }, { result: "2" }],
    // *(u8 *)(r1 + 0) = 7; r0 = 0; exit
    [
      { program: "7201000007000000 b700000000000000 9500000000000000", memory: "0102", returnMemory: true },
      { result: "0", memory: "0702" },
    ],
    [{ program: "05 00 ff ff 00 00 00 00", budget: 5 }, /budget of 5/],
    [{ program: "b7" }, /1 bytes: a program is a whole number of slots of 8 bytes/],
    [{ program: "b7 0g" }, /the program: "g" is not a hexadecimal digit/],
    [{ program: LOAD, memory: "abc" }, /the memory: 3 hexadecimal digits/],
    [{ program: "ff00000000000000" }, /no instruction has opcode 0xff/],
    [{ program: "" }, /without instructions/],
    [{ program: 5 }, /`program` must be a string/],
    ["", /./],
    ["not json", /JSON/],
  ];
  const lines = exchanges.map(([request]) => (typeof request === "string" ? request : JSON.stringify(request)));
  const { status, stdout, stderr } = run(["--batch"], `${lines.join("\n")}\n`);
  assert.is(status, 0, stderr);
  const answers = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { error?: string });
  const expected = exchanges.filter(([request]) => request !== "");
  assert.is(answers.length, expected.length);
  expected.forEach(([, result], i) => {
    if (result instanceof RegExp) assert.match(answers[i]!.error!, result);
    else assert.equal(answers[i], result);
  });
});

test("a usage error is exit code 2", () => {
  assert.is(run(["aa", "bb"], LOAD).status, 2);
});

test.run();
