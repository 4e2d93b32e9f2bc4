import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  callFunction,
  exit,
  type Item,
  label,
  lddw,
  mov,
  program,
  type Program,
  r0,
  r1,
  type SourceLocation,
} from "../asm/index.ts";
import { AttachType, ProgramType } from "../types/index.ts";
import { allBtfFeatures, Btf, definition, programBtf, type ProgramBtfOptions } from "./index.ts";

const test = suite<{ directory: string; file: string }>("btf: functions and source lines of a program");

test.before((context) => {
  context.directory = mkdtempSync(join(tmpdir(), "tsbpf-btf-"));
  context.file = join(context.directory, "source.ts");
  writeFileSync(context.file, ["first line", "\tsecond line   \r", "x".repeat(1000), "fourth"].join("\n"));
});
test.after((context) => rmSync(context.directory, { recursive: true }));

const at = (item: Item, file: string, line: number, column = 1): Item =>
  ({ ...item, source: { file, line, column } as SourceLocation }) as Item;

function make(items: readonly Item[]): Program {
  return program({
    name: "connect4",
    type: ProgramType.CGROUP_SOCK_ADDR,
    expectedAttachType: AttachType.CGROUP_INET4_CONNECT,
    section: "cgroup/connect4",
    items,
  });
}

/** The records as a reader of the kernel's dump would see them: `slot file:line:column text`. */
function lines(items: readonly Item[], options?: ProgramBtfOptions): string[] {
  const { btf, lineInfo, lineInfoRecordSize } = programBtf(make(items), options);
  const types = new Btf(btf);
  const view = new DataView(lineInfo.buffer, lineInfo.byteOffset, lineInfo.byteLength);
  assert.is(lineInfo.length % lineInfoRecordSize, 0);
  return Array.from({ length: lineInfo.length / lineInfoRecordSize }, (_, i) => {
    const [slot, file, text, position] = [0, 4, 8, 12].map((offset) =>
      view.getUint32(i * lineInfoRecordSize + offset, true),
    ) as [number, number, number, number];
    return `${slot} ${types.string(file)}:${position >>> 10}:${position & 1023} ${types.string(text)}`;
  });
}

test("one record for each line, at the slot where it begins", ({ file }) => {
  assert.equal(
    lines([
      at(lddw(r1, 1), file, 1),
      at(mov(r0, 1), file, 2, 2),
      at(mov(r0, 2), file, 2, 2),
      mov(r0, 3),
      at(exit(), pathToFileURL(file).href, 4),
    ]),
    [`0 ${file}:1:1 first line`, `2 ${file}:2:2 \tsecond line`, `5 ${file}:4:1 fourth`],
  );
});

test("every function begins with a record", ({ file }) => {
  const items = [mov(r1, 1), at(callFunction("sub"), file, 1), exit(), label("sub"), mov(r0, 1), at(exit(), file, 1)];
  assert.equal(lines(items), [`0 ${file}:1:1 first line`, `3 ${file}:1:1 first line`]);
});

test("a function without a source gets an empty record", ({ file }) => {
  const items = [at(callFunction("sub"), file, 4), exit(), label("sub"), mov(r0, 1), exit()];
  assert.equal(lines(items), [`0 ${file}:4:1 fourth`, "2 :0:0 "]);
});

test("without sources, line_info is empty", () => {
  assert.equal(lines([mov(r0, 1), exit()]), []);
});

test("the text may be left out", ({ file }) => {
  assert.equal(lines([at(mov(r0, 1), file, 1), exit()], { sourceText: false }), [`0 ${file}:1:1 `]);
});

test("a text that came with the program is taken, a file that is gone leaves it empty, a long line is cut", ({
  file,
}) => {
  const known = { ...mov(r0, 1), source: { file: "/gone/x.c", line: 9, column: 3, text: "\treturn 1;" } };
  assert.equal(lines([known, exit()]), ["0 /gone/x.c:9:3 \treturn 1;"]);
  assert.equal(lines([at(mov(r0, 1), "/gone/x.ts", 9), exit()]), ["0 /gone/x.ts:9:1 "]);
  assert.equal(lines([at(mov(r0, 1), file, 3), exit()]), [`0 ${file}:3:1 ${"x".repeat(240)}…`]);
});

test("a column beyond 1023 and a line beyond 4194303 become 0", ({ file }) => {
  assert.equal(lines([at(mov(r0, 1), file, 1, 1024), at(exit(), file, 1 << 22, 1023)]), [
    `0 ${file}:1:0 first line`,
    `1 ${file}:0:1023 `,
  ]);
});

test("a file is read again when it has changed", ({ directory }) => {
  const file = join(directory, "changing.ts");
  writeFileSync(file, "old\n");
  assert.equal(lines([at(mov(r0, 1), file, 1), exit()]), [`0 ${file}:1:1 old`]);
  writeFileSync(file, "newer\n");
  assert.equal(lines([at(mov(r0, 1), file, 1), exit()]), [`0 ${file}:1:1 newer`]);
});

test("one func for each function, the main one with its context", () => {
  const made = make([lddw(r1, 1), callFunction("sub.1"), exit(), label("sub.1"), mov(r0, 1), exit()]);
  const { btf, funcInfo } = programBtf(made);
  const types = new Btf(btf);
  const view = new DataView(funcInfo.buffer);
  assert.is(funcInfo.length, 16);
  assert.equal(
    [0, 8].map((offset) => view.getUint32(offset, true)),
    [0, 4],
  );
  assert.equal(
    [4, 12].map((offset) => definition(types, view.getUint32(offset, true))),
    ["int connect4(struct bpf_sock_addr *ctx);", "static __u64 sub_1(void);"],
  );
});

test("a kernel without functions gets no func_info", () => {
  const { btf, funcInfo } = programBtf(make([mov(r0, 1), exit()]), { features: { ...allBtfFeatures, func: false } });
  assert.is(funcInfo.length, 0);
  assert.is(new Btf(btf).find("func", "connect4"), undefined);
});

test.run();
