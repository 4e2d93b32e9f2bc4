import { suite } from "uvu";
import * as assert from "uvu/assert";
import fc from "fast-check";
import { assemble } from "../assemble.ts";
import {
  at,
  callFunction,
  exit,
  jeq,
  jne,
  jump,
  label,
  lddw,
  load,
  loadFunction,
  loadMap,
  loadMapValue,
  mov,
  sub,
} from "../operations/index.ts";
import { decode } from "../decode.ts";
import { encode } from "../encode.ts";
import { AsmError } from "../error.ts";
import { randomInstructions } from "../testing/random-instruction.ts";
import { makeInstruction } from "../make.ts";
import { r0, r1, r2, r6, w2 } from "../register.ts";
import { formatListing } from "./listing.ts";
import { parseAssembly } from "./parse.ts";
import { formatInstruction } from "./print.ts";

const test = suite("asm/text/listing");

const program = assemble([
  mov(r6, r1),
  label("again"),
  load("u32", r1, r6, 4),
  lddw(r2, 0x1122_3344_5566_7788n),
  loadMap(r1, "services"),
  loadMapValue(r1, "state", 8),
  jne(w2, 0x50, "out"),
  jeq(r1, r2, "again"),
  callFunction("count"),
  loadFunction(r2, "count"),
  label("out"),
  mov(r0, 0),
  exit(),
  label("count"),
  sub(r1, 1),
  jump(7),
  exit(),
]);

test("jumps go to labels, numbered in order of place", () => {
  assert.is(
    formatListing(program),
    `\
  r6 = r1
L1:
  r1 = *(u32 *)(r6 + 4)
  r2 = 0x1122334455667788 ll
  r1 = map[services] ll
  r1 = map[state][0]+8 ll
  if w2 != 0x50 goto L2
  if r1 == r2 goto L1
  call L3
  r2 = subprog[L3] ll
L2:
  r0 = 0
  exit
L3:
  r1 -= 1
  goto +7
  exit
`,
  );
});

test("known names are used, and slots shown if asked for", () => {
  const labels = new Map([
    [11, "count"],
    [0, "L1"],
  ]);
  const text = formatListing(program, { labels, slots: true });
  assert.ok(
    text.startsWith(
      "L1:\n   0: r6 = r1\nL2:\n   1: r1 = *(u32 *)(r6 + 4)\n   2: r2 = 0x1122334455667788 ll\n" +
        "   4: r1 = map[services] ll\n",
    ),
    text,
  );
  assert.match(text, "\n  10: call count\n");
  assert.match(text, "\ncount:\n  15: r1 -= 1\n");
});

test("a comment stands at the first of a run of instructions that share it", () => {
  const source = { file: "/a.ts", line: 3, column: 5 };
  const text = formatListing([at(source, mov(r0, 0)), at(source, mov(r1, 0)), exit()], {
    comment: (instruction) => instruction.source && `a.ts:${instruction.source.line}`,
  });
  assert.is(text, "  r0 = 0                                        ; a.ts:3\n  r1 = 0\n  exit\n");
});

test("items are listed with their own labels, resolved or not", () => {
  assert.is(
    formatListing([label("x"), jump("x"), callFunction("f"), loadFunction(r1, "f")]),
    "x:\n  goto x\n  call f\n  r1 = subprog[f] ll\n",
  );
});

test("a listing parses back to the same bytes, and prints the same again", () => {
  fc.assert(
    fc.property(fc.integer(), fc.boolean(), (seed, slots) => {
      const bytes = encode(randomInstructions(60, seed));
      const text = formatListing(decode(bytes), { slots });
      const again = encode(assemble(parseAssembly(text)));
      assert.equal(again, bytes);
      assert.is(formatListing(decode(again), { slots }), text);
    }),
    { numRuns: 100 },
  );
});

test("references parse back too", () => {
  const withoutLabels = formatListing(program);
  assert.is(formatListing(assemble(parseAssembly(withoutLabels))), withoutLabels);
});

test("printing refuses invalid fields", () => {
  assert.throws(
    () => formatInstruction(makeInstruction(0x07, 11, 0, 0, 0)),
    (error: unknown) => error instanceof AsmError && /destination register 11/.test(error.message),
  );
});

test.run();
