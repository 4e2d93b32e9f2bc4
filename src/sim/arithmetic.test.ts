/** Checks arithmetic and conditions against BigInt, for random operands and edge cases. */
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  add,
  and,
  arsh,
  assemble,
  be16,
  be32,
  be64,
  bswap16,
  bswap32,
  bswap64,
  div,
  exit,
  jeq,
  jge,
  jgt,
  jle,
  jlt,
  jne,
  jset,
  jsge,
  jsgt,
  jsle,
  jslt,
  label,
  lddw,
  le16,
  le32,
  le64,
  lsh,
  mod,
  mov,
  movsx16,
  movsx32,
  movsx8,
  mul,
  neg,
  or,
  r0,
  r1,
  r2,
  rsh,
  sdiv,
  smod,
  sub,
  w0,
  w1,
  w2,
  xor,
  type Item,
  type Register,
} from "../asm/index.ts";
import { execute } from "./execute.ts";

const test = suite("arithmetic");

const run = (items: readonly Item[]): bigint => execute(assemble(items), new Uint8Array(0), 1000).result;

const U64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const S = (bits: 32 | 64, value: bigint): bigint => BigInt.asIntN(bits, value);
const U = (bits: 32 | 64, value: bigint): bigint => BigInt.asUintN(bits, value);

/** The whole 64-bit range, with emphasis on zero, the edges of both widths, and small numbers. */
const operand = fc.oneof(
  fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
  fc.bigInt({ min: 0n, max: 0xffff_ffffn }),
  fc.constantFrom(
    0n,
    1n,
    2n,
    31n,
    32n,
    33n,
    63n,
    64n,
    0x7fff_ffffn,
    0x8000_0000n,
    0xffff_ffffn,
    0x1_0000_0000n,
    0x7fff_ffff_ffff_ffffn,
    0x8000_0000_0000_0000n,
    0xffff_ffff_ffff_ffffn,
    0xffff_ffff_8000_0000n,
  ),
);

/** RFC 9669, section 4.1, for numbers of `bits` bits. */
const operations: Readonly<
  Record<string, [builder: typeof add, model: (bits: 32 | 64, a: bigint, b: bigint) => bigint]>
> = {
  add: [add, (_, a, b) => a + b],
  sub: [sub, (_, a, b) => a - b],
  mul: [mul, (_, a, b) => a * b],
  div: [div, (_, a, b) => (b === 0n ? 0n : a / b)],
  mod: [mod, (_, a, b) => (b === 0n ? a : a % b)],
  sdiv: [sdiv, (bits, a, b) => (b === 0n ? 0n : S(bits, a) / S(bits, b))],
  smod: [smod, (bits, a, b) => (b === 0n ? a : S(bits, a) % S(bits, b))],
  and: [and, (_, a, b) => a & b],
  or: [or, (_, a, b) => a | b],
  xor: [xor, (_, a, b) => a ^ b],
  lsh: [lsh, (bits, a, b) => a << (b & BigInt(bits - 1))],
  rsh: [rsh, (bits, a, b) => a >> (b & BigInt(bits - 1))],
  arsh: [arsh, (bits, a, b) => S(bits, a) >> (b & BigInt(bits - 1))],
  mov: [mov, (_, _a, b) => b],
};

for (const [name, [build, model]] of Object.entries(operations)) {
  test(`${name}: both widths, with a register, an immediate and itself`, () => {
    fc.assert(
      fc.property(operand, operand, fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }), (a, b, immediate) => {
        const wide = (x: bigint, y: bigint) => U64(model(64, x, y));
        const narrow = (x: bigint, y: bigint) => U(32, model(32, U(32, x), U(32, y)));
        const extended = U64(BigInt(immediate));
        const start = [lddw(r1, a), lddw(r2, b)];
        const end = [mov(r0, r1), exit()];
        assert.is(run([...start, build(r1, r2), ...end]), wide(a, b));
        assert.is(run([...start, build(w1, w2), ...end]), narrow(a, b));
        assert.is(run([...start, build(r1, immediate), ...end]), wide(a, extended));
        assert.is(run([...start, build(w1, immediate), ...end]), narrow(a, extended));
        assert.is(run([...start, build(r1, r1), ...end]), wide(a, a));
        assert.is(run([...start, build(w1, w1), ...end]), narrow(a, a));
      }),
      { numRuns: 150 },
    );
  });
}

test("a product whose upper half is a power of two, the worst case for rounding", () => {
  const [a, b] = [0x8000_0017n, 0xffff_ffd3n];
  assert.is(run([lddw(r0, a), lddw(r1, b), mul(r0, r1), exit()]), a * b);
});

const reversed = (bits: number, value: bigint): bigint => {
  let result = 0n;
  for (let i = 0; i < bits / 8; i++) result = (result << 8n) | ((value >> BigInt(8 * i)) & 0xffn);
  return result;
};

test("negation, sign extension and byte order", () => {
  const unary: [name: string, build: (register: Register) => Item, model: (a: bigint) => bigint][] = [
    ["neg", neg, (a) => U64(-a)],
    ["movsx8", (r) => movsx8(r, r), (a) => U64(BigInt.asIntN(8, a))],
    ["movsx16", (r) => movsx16(r, r), (a) => U64(BigInt.asIntN(16, a))],
    ["movsx32", (r) => movsx32(r, r), (a) => U64(BigInt.asIntN(32, a))],
    ["neg32", () => neg(w0), (a) => U(32, -a)],
    ["movsx8 to 32 bits", () => movsx8(w0, w0), (a) => U(32, BigInt.asIntN(8, a))],
    ["movsx16 to 32 bits", () => movsx16(w0, w0), (a) => U(32, BigInt.asIntN(16, a))],
    ["le16", le16, (a) => a & 0xffffn],
    ["le32", le32, (a) => a & 0xffff_ffffn],
    ["le64", le64, (a) => a],
    ["be16", be16, (a) => reversed(16, a)],
    ["be32", be32, (a) => reversed(32, a)],
    ["be64", be64, (a) => reversed(64, a)],
    ["bswap16", bswap16, (a) => reversed(16, a)],
    ["bswap32", bswap32, (a) => reversed(32, a)],
    ["bswap64", bswap64, (a) => reversed(64, a)],
  ];
  fc.assert(
    fc.property(operand, (a) => {
      for (const [name, build, model] of unary)
        assert.is(run([lddw(r0, a), build(r0), exit()]), model(a), `${name} of ${a}`);
    }),
    { numRuns: 150 },
  );
});

test("conditions: both widths, with a register and an immediate", () => {
  const conditions: Readonly<
    Record<string, [builder: typeof jeq, model: (bits: 32 | 64, a: bigint, b: bigint) => boolean]>
  > = {
    jeq: [jeq, (_, a, b) => a === b],
    jne: [jne, (_, a, b) => a !== b],
    jgt: [jgt, (_, a, b) => a > b],
    jge: [jge, (_, a, b) => a >= b],
    jlt: [jlt, (_, a, b) => a < b],
    jle: [jle, (_, a, b) => a <= b],
    jsgt: [jsgt, (bits, a, b) => S(bits, a) > S(bits, b)],
    jsge: [jsge, (bits, a, b) => S(bits, a) >= S(bits, b)],
    jslt: [jslt, (bits, a, b) => S(bits, a) < S(bits, b)],
    jsle: [jsle, (bits, a, b) => S(bits, a) <= S(bits, b)],
    jset: [jset, (_, a, b) => (a & b) !== 0n],
  };
  const taken = (a: bigint, b: bigint, jump: Item): boolean =>
    run([lddw(r1, a), lddw(r2, b), jump, mov(r0, 0), exit(), label("there"), mov(r0, 1), exit()]) === 1n;
  // Neighbouring values, so that halves are often equal.
  const pair = fc.oneof(
    fc.tuple(operand, operand),
    operand.chain((a) => fc.tuple(fc.constant(a), fc.constantFrom(a, U64(a + 1n), U64(a - 1n), a ^ (1n << 63n)))),
  );
  fc.assert(
    fc.property(pair, fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }), ([a, b], immediate) => {
      for (const [name, [build, model]] of Object.entries(conditions)) {
        const extended = U64(BigInt(immediate));
        assert.is(taken(a, b, build(r1, r2, "there")), model(64, a, b), `${name} ${a} ${b}`);
        assert.is(taken(a, b, build(w1, w2, "there")), model(32, U(32, a), U(32, b)), `${name}32 ${a} ${b}`);
        assert.is(taken(a, b, build(r1, immediate, "there")), model(64, a, extended), `${name} ${a} ${immediate}`);
        assert.is(
          taken(a, b, build(w1, immediate, "there")),
          model(32, U(32, a), U(32, extended)),
          `${name}32 ${a} ${immediate}`,
        );
      }
    }),
    { numRuns: 60 },
  );
});

test.run();
