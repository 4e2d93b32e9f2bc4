import { suite } from "uvu";
import * as assert from "uvu/assert";
import { assemble, assembleWithLabels } from "./assemble.ts";
import {
  add,
  at,
  call,
  callFunction,
  exit,
  gotol,
  jeq,
  jump,
  label,
  lddw,
  loadFunction,
  loadMap,
  mayGoto,
  mov,
} from "./operations/index.ts";
import { encode } from "./encode.ts";
import { AsmError } from "./error.ts";
import type { Item } from "./instruction.ts";
import { r0, r1 } from "./register.ts";

const test = suite("asm/assemble");

const refused = (items: readonly Item[], why: RegExp) =>
  assert.throws(
    () => assemble(items),
    (error: unknown) => error instanceof AsmError && why.test(error.message),
  );
const nothing = (count: number): Item[] => new Array<Item>(count).fill(mov(r0, 0));

test("jump offsets count slots from the next one, lddw being two", () => {
  const instructions = assemble([
    label("start"),
    jeq(r1, 0, "end"),
    lddw(r1, 1),
    jump("start"),
    mayGoto("end"),
    gotol("start"),
    label("end"),
    exit(),
  ]);
  assert.equal(instructions, [jeq(r1, 0, 5), lddw(r1, 1), jump(-4), mayGoto(1), gotol(-6), exit()]);
});

test("calls and addresses of subprograms are relative too", () => {
  const items = [loadFunction(r1, "sub"), callFunction("sub"), exit(), label("sub"), exit()];
  // The kernel adds the immediate to the slot after the instruction's first: 0 + 1 + 3, and 2 + 1 + 1.
  assert.equal(assemble(items), [loadFunction(r1, 3), callFunction(1), exit(), exit()]);
});

test("each label has the index of its instruction", () => {
  const { labels } = assembleWithLabels([lddw(r1, 1), label("a"), label("b"), exit(), label("end")]);
  assert.equal(
    [...labels],
    [
      ["a", 1],
      ["b", 1],
      ["end", 2],
    ],
  );
});

test("references for the loader stay open", () => {
  assert.equal(assemble([loadMap(r1, "m"), call("bpf_get_prandom_u32")]), [
    loadMap(r1, "m"),
    call("bpf_get_prandom_u32"),
  ]);
});

test("the source location stays", () => {
  const source = { file: "/a.ts", line: 1, column: 2 };
  assert.equal(assemble([at(source, jump("x")), label("x"), exit()])[0]?.source, source);
});

test("errors about a label name it", () => {
  refused([jump("nowhere")], /label "nowhere" is not defined/);
  refused([at({ file: "/a.ts", line: 3, column: 7 }, jump("nowhere"))], /^\/a\.ts:3:7: label "nowhere"/);
  refused([label("x"), exit(), label("x")], /label "x" is defined twice/);
  refused([jump("far"), ...nothing(32_768), label("far"), exit()], /label "far" is 32768 slots away.*allow long jumps/);
  refused(
    [{ ...add(r1, 1), reference: { kind: "label", name: "x" } }, label("x")],
    /opcode 0x7 refers to label "x", but is not a jump/,
  );
  refused([{ ...exit(), reference: { kind: "label", name: "x" } }, label("x")], /is not a jump/);
});

test("the farthest 16-bit jumps stay short", () => {
  assert.is(assemble([jump("far"), ...nothing(32_767), label("far"), exit()])[0]?.offset, 32_767);
  assert.is(assemble([label("far"), ...nothing(32_767), jump("far")]).at(-1)?.offset, -32_768);
});

test("with longJumps, a jump beyond 16 bits becomes a gotol", () => {
  const [first] = assemble([jump("far"), ...nothing(32_768), label("far"), exit()], { longJumps: true });
  assert.equal(first, gotol(32_768));
});

test("with longJumps, a conditional jump beyond 16 bits goes through a gotol", () => {
  const { instructions, labels } = assembleWithLabels([jeq(r1, 5, "far"), ...nothing(32_768), label("far"), exit()], {
    longJumps: true,
  });
  assert.equal(instructions.slice(0, 3), [jeq(r1, 5, 1), jump(1), gotol(32_768)]);
  assert.is(labels.get("far"), 32_771);
  assert.is(encode(instructions).length, 8 * 32_772);
});

test("a lengthened jump may push another out of reach, which is lengthened too", () => {
  // "a" reaches its label only while the conditional jump in between takes one slot.
  const items = [
    jump("a"),
    jeq(r1, 0, "b"),
    ...nothing(32_766),
    label("a"),
    exit(),
    ...nothing(10),
    label("b"),
    exit(),
  ];
  const instructions = assemble(items, { longJumps: true });
  assert.equal(instructions[0], gotol(32_769));
  assert.equal(instructions.slice(1, 4), [jeq(r1, 0, 1), jump(1), gotol(32_777)]);
});

test.run();
