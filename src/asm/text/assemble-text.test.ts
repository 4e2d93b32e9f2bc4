import { suite } from "uvu";
import * as assert from "uvu/assert";
import fc from "fast-check";
import { assemble } from "../assemble.ts";
import { encode } from "../encode.ts";
import { AsmError } from "../error.ts";
import { randomInstructions } from "../testing/random-instruction.ts";
import { assembleText } from "./assemble-text.ts";
import { formatListing } from "./listing.ts";
import { parseAssembly } from "./parse.ts";
import { AsmSyntaxError } from "./syntax-error.ts";

const test = suite("asm/text: text to bytes");

const stepwise = (text: string): Uint8Array => encode(assemble(parseAssembly(text)));

test("the bytes equal those of parsing, assembling and encoding in turn", () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const text = formatListing(randomInstructions(40, seed));
      assert.equal(assembleText(text), stepwise(text));
    }),
    { numRuns: 50 },
  );
});

test("labels of every kind, forwards and backwards", () => {
  const text = `
    a: goto b
    if r1 != 5 goto a
    r1 = sub ll
    r2 = subprog[sub] ll
    r3 = map[sub] ll
    r4 = other ll
    r5 = map[m][0]+8 ll
    call sub
    call kernel-function sub
    b: gotol c
    may_goto a
    c: exit
    sub: exit`;
  assert.equal(assembleText(text), stepwise(text));
});

test("a program larger than the first buffer", () => {
  const text = `goto end\n${"r1 = 0x1122334455667788 ll\n".repeat(9_000)}end: exit`;
  assert.equal(assembleText(text), stepwise(text));
});

test("jumps beyond 16 bits become long, or are refused with their place", () => {
  const text = `goto x\n${"exit\n".repeat(32_768)}x: exit`;
  assert.equal(assembleText(text, { longJumps: true }), encode(assemble(parseAssembly(text), { longJumps: true })));
  assert.throws(
    () => assembleText(text, { file: "a.s" }),
    (error: unknown) => error instanceof AsmError && error.message.startsWith('a.s:1:1: label "x" is 32768 slots away'),
  );
  assert.throws(
    () => assembleText(text),
    (error: unknown) => error instanceof AsmError && error.message.startsWith('text:1:1: label "x"'),
  );
});

test("syntax errors are the parser's", () => {
  assert.throws(
    () => assembleText("exit\nbad", { file: "a.s" }),
    (error: unknown) => error instanceof AsmSyntaxError && error.message.startsWith("a.s:2:1: "),
  );
  assert.throws(
    () => assembleText("goto nowhere"),
    (error: unknown) => error instanceof AsmSyntaxError && /nowhere/.test(error.message),
  );
});

test.run();
