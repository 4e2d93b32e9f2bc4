import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { callFunction, exit, label, mov, parseAssembly, program, r0, type Item } from "../../asm/index.ts";
import { writeObject } from "../../elf/index.ts";
import { withDirectory } from "../../testing/index.ts";
import { programsInFile } from "./file.ts";
import { listProgram } from "./listed-program.ts";

const test = suite("cli: an object file as assembly");

const at = (item: Item, line: number, text: string): Item =>
  ({ ...item, source: { file: "/project/drop.ts", line, column: 1, text } }) as Item;
const drop = program({
  name: "drop",
  type: 6,
  section: "xdp",
  items: [
    at(callFunction("helper"), 1, "  helper();"),
    at(mov(r0, 1), 2, "return 1;"),
    exit(),
    label("helper"),
    at(mov(r0, 0), 7, "function helper() {"),
    at(exit(), 7, "function helper() {"),
  ],
});
const pass = program({ name: "pass", type: 3, section: "tc", items: [mov(r0, 0), exit()] });

const listed = (section?: string) =>
  withDirectory((directory) => {
    const path = join(directory, "object.bpf.o");
    writeFileSync(path, writeObject([drop, pass]));
    return programsInFile(path, section);
  });

test("source positions after instructions, or source lines between them", async () => {
  const [first, second] = await listed();
  assert.is(
    listProgram(first!),
    `\
; section xdp, program drop
drop:
  call helper                                   ; drop.ts:1
  r0 = 1                                        ; drop.ts:2
  exit
helper:
  r0 = 0                                        ; drop.ts:7
  exit
`,
  );
  const withSources = listProgram(first!, { sources: true, slots: true });
  assert.is(
    withSources,
    `\
; section xdp, program drop
drop:
; drop.ts:1: helper();
   0: call helper
; drop.ts:2: return 1;
   1: r0 = 1
   2: exit
helper:
; drop.ts:7: function helper() {
   3: r0 = 0
   4: exit
`,
  );
  assert.is(parseAssembly(withSources).length, 7, "the assembler reads back both labels and all instructions");
  assert.is(listProgram(second!, { sources: true }), "; section tc, program pass\npass:\n  r0 = 0\n  exit\n");
});

test("one section", async () => {
  assert.equal(
    (await listed("tc")).map(({ title }) => title),
    ["section tc, program pass"],
  );
  assert.equal((await listed(".text"))[0]!.instructions.length, 2, "a subprogram");
  let message = "";
  await listed("socket").catch((error: unknown) => (message = (error as Error).message));
  assert.match(message, /it has no section socket; its sections are/);
});

test.run();
