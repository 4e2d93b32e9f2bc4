/**
 * Small programs with results worked out by hand: at least one for each instruction of RFC 9669's conformance
 * groups and of later extensions.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  add,
  and,
  arsh,
  assemble,
  atomicAdd,
  atomicAnd,
  atomicOr,
  atomicXor,
  be16,
  be32,
  bswap32,
  call,
  callFunction,
  callx,
  compareExchange,
  decode,
  div,
  encode,
  exchange,
  exit,
  gotol,
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
  jump,
  label,
  lddw,
  le16,
  load,
  loadAbsolute,
  loadAcquire,
  loadFunction,
  loadIndirect,
  lsh,
  mayGoto,
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
  r10,
  r2,
  r3,
  r4,
  r5,
  r6,
  r7,
  r8,
  r9,
  rsh,
  sdiv,
  smod,
  store,
  storeRelease,
  sub,
  w0,
  w1,
  w2,
  xor,
  type Item,
} from "../asm/index.ts";
import { execute } from "./execute.ts";
import { SimulationFault } from "./fault.ts";

interface Case {
  readonly items: readonly Item[];
  readonly result: bigint;
  /** In hexadecimal digits. */
  readonly memory?: string;
  /** The expected memory after the run. */
  readonly after?: string;
}

const MINIMUM = -0x8000_0000_0000_0000n;

/** Expects r0 after these instructions. */
const gives = (result: bigint | number, ...items: Item[]): Case => ({
  items: [...items, exit()],
  result: BigInt.asUintN(64, BigInt(result)),
});
/** Expects r0, with memory at r1. */
const withMemory = (memory: string, result: bigint | number, ...items: Item[]): Case => ({
  ...gives(result, ...items),
  memory,
});
/** Expects the memory after these instructions. */
const leaves = (memory: string, after: string, ...items: Item[]): Case => ({
  ...gives(0, mov(r0, 0), ...items),
  memory,
  after,
});
/** Expects the jump to be taken (r0 = 1) or not (r0 = 2). */
const jumps = (taken: boolean, ...items: Item[]): Case =>
  gives(taken ? 1 : 2, ...items, mov(r0, 2), exit(), label("taken"), mov(r0, 1));

const groups: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  base32: {
    "add wraps and clears the upper half": gives(0, lddw(r0, 0x1_ffff_ffffn), add(w0, 1)),
    sub: gives(0xffff_ffff, mov(r0, 0), sub(w0, 1)),
    or: gives(0xff, mov(w0, 0xf0), or(w0, 0x0f)),
    "and with a negative immediate keeps 32 bits": gives(0x8765_4320, lddw(r0, 0xdead_beef_8765_4321n), and(w0, -2)),
    "lsh masks its count by 31": gives(2, mov(w0, 1), lsh(w0, 33)),
    rsh: gives(0x7fff_ffff, mov(w0, -1), rsh(w0, 1)),
    neg: gives(0xffff_ffff, mov(r0, 1), neg(w0)),
    xor: gives(0x0f0f_0f0f, mov(w0, 0x7f7f_7f7f), xor(w0, 0x7070_7070)),
    "mov of a negative number zero-extends": gives(0xffff_ffff, mov(w0, -1)),
    "mov of a register": gives(0x5555_5555, lddw(r1, 0x1111_1111_5555_5555n), mov(w0, w1)),
    arsh: gives(0xc000_0000, lddw(r0, 0x8000_0000n), arsh(w0, 1)),
    "arsh by a register masks by 31": gives(0xffff_ffff, lddw(r0, 0x8000_0000n), mov(r1, 63), arsh(w0, w1)),
    movsx8: gives(0xffff_ff80, mov(r1, 0x80), movsx8(w0, w1)),
    movsx16: gives(0xffff_8000, mov(r1, 0x8000), movsx16(w0, w1)),
    le16: gives(0x2211, lddw(r0, 0x8877_6655_4433_2211n), le16(r0)),
    be16: gives(0x1122, lddw(r0, 0x8877_6655_4433_2211n), be16(r0)),
    be32: gives(0x1122_3344, lddw(r0, 0x8877_6655_4433_2211n), be32(r0)),
    bswap32: gives(0x1122_3344, lddw(r0, 0x8877_6655_4433_2211n), bswap32(r0)),
    ldxw: withMemory("0102030405060708", 0x0807_0605, load("u32", r0, r1, 4)),
    ldxh: withMemory("0102030405060708", 0x0403, load("u16", r0, r1, 2)),
    ldxb: withMemory("01fe", 0xfe, load("u8", r0, r1, 1)),
    "ldxw, not aligned": withMemory("0102030405", 0x0504_0302, load("u32", r0, r1, 1)),
    stw: leaves("0000000000000000", "00000000fdffffff", store("u32", r1, 4, -3)),
    sth: leaves("00000000", "0000feff", store("u16", r1, 2, -2)),
    stb: leaves("0000", "00ff", store("u8", r1, 1, -1)),
    stxw: leaves("0000000000000000", "0000000044332211", lddw(r2, 0x5566_7788_1122_3344n), store("u32", r1, 4, r2)),
    stxh: leaves("00000000", "44330000", mov(r2, 0x1122_3344), store("u16", r1, 0, r2)),
    stxb: leaves("0000", "0044", mov(r2, 0x1122_3344), store("u8", r1, 1, r2)),
    "jeq32 compares the low half": jumps(true, lddw(r1, 0x1_0000_0005n), jeq(w1, 5, "taken")),
    jne32: jumps(false, lddw(r1, 0x1_0000_0005n), jne(w1, 5, "taken")),
    "jgt32 is unsigned": jumps(true, mov(w1, -1), jgt(w1, 1, "taken")),
    jge32: jumps(true, mov(w1, 7), jge(w1, 7, "taken")),
    jlt32: jumps(false, mov(w1, -1), jlt(w1, 1, "taken")),
    jle32: jumps(true, mov(w1, 1), jle(w1, 1, "taken")),
    jset32: jumps(false, lddw(r1, 0xffff_ffff_0000_0000n), jset(w1, -1, "taken")),
    jsgt32: jumps(false, mov(w1, -1), jsgt(w1, 1, "taken")),
    jsge32: jumps(true, mov(w1, -1), jsge(w1, -1, "taken")),
    jslt32: jumps(true, mov(w1, -1), jslt(w1, 1, "taken")),
    jsle32: jumps(true, mov(w1, -2), mov(w2, -1), jsle(w1, w2, "taken")),
    gotol: gives(1, mov(r0, 1), gotol("over"), mov(r0, 2), label("over")),
    "exit before the last instruction": gives(3, mov(r0, 3), exit(), mov(r0, 4)),
    "ja over a wide instruction": gives(9, mov(r0, 9), jump("over"), lddw(r0, 1n << 40n), label("over")),
    "call of a subprogram": gives(
      12,
      mov(r1, 5),
      mov(r2, 7),
      callFunction("sum"),
      exit(),
      label("sum"),
      mov(r0, r1),
      add(r0, r2),
    ),
    "r6 to r9 survive a call": gives(
      0x6789,
      mov(r6, 6),
      mov(r7, 7),
      mov(r8, 8),
      mov(r9, 9),
      callFunction("spoil"),
      mov(r0, r6),
      lsh(r0, 4),
      or(r0, r7),
      lsh(r0, 4),
      or(r0, r8),
      lsh(r0, 4),
      or(r0, r9),
      exit(),
      label("spoil"),
      mov(r6, 1),
      mov(r7, 1),
      mov(r8, 1),
      mov(r9, 1),
      mov(r0, 0),
    ),
    "each call has its own frame": gives(
      1,
      store("u64", r10, -8, 1),
      callFunction("deeper"),
      load("u64", r0, r10, -8),
      exit(),
      label("deeper"),
      store("u64", r10, -8, 2),
      mov(r0, 0),
    ),
    "a callee writes into its caller's frame": gives(
      2,
      store("u64", r10, -8, 1),
      mov(r1, r10),
      add(r1, -8),
      callFunction("set"),
      load("u64", r0, r10, -8),
      exit(),
      label("set"),
      store("u64", r1, 0, 2),
      mov(r0, 0),
    ),
    "recursion to the eighth frame": gives(
      7,
      mov(r1, 7),
      callFunction("down"),
      exit(),
      label("down"),
      mov(r0, 0),
      sub(r1, 1),
      mov(r6, r1),
      jeq(r1, 0, "bottom"),
      callFunction("down"),
      label("bottom"),
      add(r0, 1),
    ),
    "call of a helper": gives(30, mov(r1, 10), mov(r2, 20), call(99)),
  },
  base64: {
    "add carries": gives(0x1_0000_0000, mov(w0, -1), add(r0, 1)),
    "add of a negative immediate": gives(-1, mov(r0, 1), add(r0, -2)),
    "sub borrows": gives(0xffff_ffff, lddw(r0, 0x1_0000_0000n), sub(r0, 1)),
    "or sign-extends its immediate": gives(-1, mov(r0, 0), or(r0, -1)),
    "and sign-extends its immediate": gives(0x1_0000_0002n, lddw(r0, 0x1_0000_0003n), and(r0, -2)),
    "lsh over the half": gives(1n << 40n, mov(r0, 1), lsh(r0, 40)),
    "lsh masks its count by 63": gives(2, mov(r0, 1), mov(r1, 65), lsh(r0, r1)),
    "rsh over the half": gives(1, lddw(r0, 1n << 63n), rsh(r0, 63)),
    arsh: gives(-1, lddw(r0, MINIMUM), arsh(r0, 63)),
    neg: gives(-5, mov(r0, 5), neg(r0)),
    "neg of the smallest number": gives(MINIMUM, lddw(r0, MINIMUM), neg(r0)),
    xor: gives(-1, lddw(r0, 0xaaaa_aaaa_aaaa_aaaan), lddw(r1, 0x5555_5555_5555_5555n), xor(r0, r1)),
    "mov sign-extends its immediate": gives(-1, mov(r0, -1)),
    movsx8: gives(-128, mov(r1, 0x80), movsx8(r0, r1)),
    movsx16: gives(-32768, mov(r1, 0x8000), movsx16(r0, r1)),
    movsx32: gives(-1, mov(w1, -1), movsx32(r0, r1)),
    lddw: gives(0x1122_3344_5566_7788n, lddw(r0, 0x1122_3344_5566_7788n)),
    ldxdw: withMemory("1122334455667788", 0x8877_6655_4433_2211n, load("u64", r0, r1, 0)),
    ldxbsx: withMemory("80", -128, load("i8", r0, r1, 0)),
    ldxhsx: withMemory("0080", -32768, load("i16", r0, r1, 0)),
    ldxwsx: withMemory("000000800000", -2147483648, load("i32", r0, r1, 0)),
    "ldxwsx of the stack": gives(-2, store("u32", r10, -4, -2), load("i32", r0, r10, -4)),
    "stdw sign-extends": leaves("0000000000000000", "fdffffffffffffff", store("u64", r1, 0, -3)),
    stxdw: leaves("0000000000000000", "8877665544332211", lddw(r2, 0x1122_3344_5566_7788n), store("u64", r1, 0, r2)),
    "r1 is the memory's address and r2 its length": withMemory("01020304", 4, mov(r0, r2)),
    "without memory r1 is 0": gives(0, mov(r0, r1)),
    "without memory r2 is 0": gives(0, mov(r0, r2)),
    "jeq compares both halves": jumps(false, lddw(r1, 0x1_0000_0005n), jeq(r1, 5, "taken")),
    jne: jumps(true, lddw(r1, 0x1_0000_0005n), jne(r1, 5, "taken")),
    "jgt is unsigned": jumps(true, mov(r1, -1), jgt(r1, 1, "taken")),
    jge: jumps(true, lddw(r1, 0x2_0000_0000n), lddw(r2, 0x1_ffff_ffffn), jge(r1, r2, "taken")),
    jlt: jumps(true, lddw(r1, 0x1_ffff_ffffn), lddw(r2, 0x2_0000_0000n), jlt(r1, r2, "taken")),
    jle: jumps(false, lddw(r1, 0x2_0000_0000n), lddw(r2, 0x1_ffff_ffffn), jle(r1, r2, "taken")),
    "jset in the upper half": jumps(true, lddw(r1, 1n << 40n), jset(r1, -1, "taken")),
    jsgt: jumps(false, mov(r1, -1), jsgt(r1, 1, "taken")),
    jsge: jumps(true, mov(r1, -1), jsge(r1, -1, "taken")),
    jslt: jumps(true, lddw(r1, MINIMUM), jslt(r1, 0, "taken")),
    jsle: jumps(true, mov(r1, -1), mov(r2, 0), jsle(r1, r2, "taken")),
    "may_goto falls through at first": gives(2, mov(r0, 1), mayGoto("end"), mov(r0, 2), label("end")),
    loop: gives(55, mov(r0, 0), mov(r1, 10), label("again"), add(r0, r1), sub(r1, 1), jne(r1, 0, "again")),
    "pointer arithmetic": withMemory("0102030405060708", 6, mov(r3, r1), add(r3, 8), sub(r3, 3), load("u8", r0, r3, 0)),
  },
  divmul32: {
    mul: gives(0xffff_fffe, lddw(r0, 0x1_ffff_ffffn), mul(w0, 2)),
    div: gives(3, mov(r0, 13), div(w0, 4)),
    "div is unsigned": gives(0x7fff_ffff, mov(w0, -1), div(w0, 2)),
    "div by zero": gives(0, mov(r0, 13), mov(r1, 0), div(w0, w1)),
    "div uses the divisor's low half": gives(0, mov(r0, 13), lddw(r1, 1n << 32n), div(w0, w1)),
    mod: gives(1, mov(r0, 13), mod(w0, 4)),
    "mod by zero keeps the low half": gives(0x2233_4455, lddw(r0, 0x1122_3344_2233_4455n), mov(r1, 0), mod(w0, w1)),
    sdiv: gives(0xffff_fffd, mov(w0, -13), sdiv(w0, 4)),
    "sdiv of the smallest by -1": gives(0x8000_0000, lddw(r0, 0x8000_0000n), sdiv(w0, -1)),
    "sdiv by zero": gives(0, mov(w0, -13), mov(r1, 0), sdiv(w0, w1)),
    smod: gives(0xffff_ffff, mov(w0, -13), smod(w0, 4)),
    "smod of the smallest by -1": gives(0, lddw(r0, 0x8000_0000n), smod(w0, -1)),
    "smod by zero": gives(0xffff_fff3, mov(w0, -13), mov(r1, 0), smod(w0, w1)),
  },
  divmul64: {
    mul: gives(0xffff_fffe_0000_0001n, mov(w0, -1), mov(w1, -1), mul(r0, r1)),
    "mul of a negative immediate": gives(-6, mov(r0, 2), mul(r0, -3)),
    "div is unsigned": gives(0x7fff_ffff_ffff_ffffn, mov(r0, -1), div(r0, 2)),
    "div by a sign-extended immediate": gives(1, mov(r0, -1), div(r0, -10)),
    "div by zero": gives(0, mov(r0, -1), mov(r1, 0), div(r0, r1)),
    mod: gives(5, lddw(r0, 0x1_0000_0005n), lddw(r1, 1n << 32n), mod(r0, r1)),
    "mod by zero": gives(0x1122_3344_2233_4455n, lddw(r0, 0x1122_3344_2233_4455n), mov(r1, 0), mod(r0, r1)),
    sdiv: gives(-3, mov(r0, -13), sdiv(r0, 4)),
    "sdiv of the smallest by -1": gives(MINIMUM, lddw(r0, MINIMUM), sdiv(r0, -1)),
    "sdiv by zero": gives(0, mov(r0, -13), mov(r1, 0), sdiv(r0, r1)),
    smod: gives(-1, mov(r0, -13), smod(r0, 4)),
    "smod takes the dividend's sign": gives(1, mov(r0, 13), smod(r0, -4)),
    "smod of the smallest by -1": gives(0, lddw(r0, MINIMUM), smod(r0, -1)),
    "smod by zero": gives(-13, mov(r0, -13), mov(r1, 0), smod(r0, r1)),
  },
  atomic32: {
    add: leaves("ffffffff00000000", "0100000000000000", mov(r2, 2), atomicAdd("u32", r1, 0, r2)),
    "fetch add": withMemory(
      "0500000000000000",
      5,
      lddw(r0, -1n),
      mov(r0, 2),
      atomicAdd("u32", r1, 0, r0, { fetch: true }),
    ),
    and: leaves("0f000000", "05000000", mov(r2, 0x55), atomicAnd("u32", r1, 0, r2)),
    or: leaves("0f000000", "5f000000", mov(r2, 0x55), atomicOr("u32", r1, 0, r2)),
    xor: leaves("0f000000", "5a000000", mov(r2, 0x55), atomicXor("u32", r1, 0, r2)),
    "fetch or zero-extends": withMemory(
      "ffffffff",
      0xffff_ffff,
      mov(r0, -1),
      atomicOr("u32", r1, 0, r0, { fetch: true }),
    ),
    xchg: withMemory("0700000000000000", 7, mov(r0, -1), exchange("u32", r1, 0, r0)),
    "cmpxchg that matches": leaves(
      "0700000000000000",
      "0900000000000000",
      mov(r0, 7),
      mov(r2, 9),
      compareExchange("u32", r1, 0, r2),
      mov(r0, 0),
    ),
    "cmpxchg that does not": leaves(
      "0700000000000000",
      "0700000000000000",
      mov(r0, 8),
      mov(r2, 9),
      compareExchange("u32", r1, 0, r2),
      mov(r0, 0),
    ),
    "cmpxchg compares 32 bits and zero-extends r0": withMemory(
      "0700000000000000",
      7,
      lddw(r0, 0x5_0000_0007n),
      mov(r2, 9),
      compareExchange("u32", r1, 0, r2),
    ),
    "load-acquire": withMemory("0102030405060708", 0x0807_0605, loadAcquire("u32", r0, r1, 4)),
    "store-release": leaves(
      "0000000000000000",
      "0000000044332211",
      mov(r2, 0x1122_3344),
      storeRelease("u32", r1, 4, r2),
    ),
  },
  atomic64: {
    "add carries": leaves("ffffffff00000000", "0100000001000000", mov(r2, 2), atomicAdd("u64", r1, 0, r2)),
    "fetch add": withMemory("ffffffffffffffff", -1, mov(r0, 2), atomicAdd("u64", r1, 0, r0, { fetch: true })),
    and: leaves("ffffffffffffffff", "ffff0000ffff0000", lddw(r2, 0x0000_ffff_0000_ffffn), atomicAnd("u64", r1, 0, r2)),
    or: leaves("0000000000000000", "ffff0000ffff0000", lddw(r2, 0x0000_ffff_0000_ffffn), atomicOr("u64", r1, 0, r2)),
    xor: leaves("ffffffffffffffff", "0000ffff0000ffff", lddw(r2, 0x0000_ffff_0000_ffffn), atomicXor("u64", r1, 0, r2)),
    "fetch and, on the stack": gives(
      6,
      store("u64", r10, -8, 6),
      mov(r0, 3),
      atomicAnd("u64", r10, -8, r0, { fetch: true }),
    ),
    xchg: withMemory("0700000001000000", 0x1_0000_0007n, mov(r0, -1), exchange("u64", r1, 0, r0)),
    "cmpxchg that matches": leaves(
      "0700000001000000",
      "0900000000000000",
      lddw(r0, 0x1_0000_0007n),
      mov(r2, 9),
      compareExchange("u64", r1, 0, r2),
      mov(r0, 0),
    ),
    "cmpxchg differing in the upper half only": withMemory(
      "0700000001000000",
      0x1_0000_0007n,
      mov(r0, 7),
      mov(r2, 9),
      compareExchange("u64", r1, 0, r2),
    ),
    "load-acquire": withMemory("0102030405060708", 0x0807_0605_0403_0201n, loadAcquire("u64", r0, r1, 0)),
    "load-acquire of a byte": withMemory("01ff", 0xff, loadAcquire("u8", r0, r1, 1)),
    "store-release": leaves("0000000000000000", "ffffffffffffffff", mov(r2, -1), storeRelease("u64", r1, 0, r2)),
  },
  packet: {
    "abs word, in network byte order": withMemory("0102030405060708", 0x0304_0506, mov(r6, r1), loadAbsolute("u32", 2)),
    "abs half": withMemory("01020304", 0x0304, mov(r6, r1), loadAbsolute("u16", 2)),
    "abs byte": withMemory("01020304", 3, mov(r6, r1), loadAbsolute("u8", 2)),
    ind: withMemory("0102030405060708", 0x0506, mov(r6, r1), mov(r2, 1), loadIndirect("u16", r2, 3)),
    "a load outside the packet ends the program with 0": withMemory(
      "01020304",
      0,
      mov(r6, r1),
      mov(r0, 5),
      loadAbsolute("u32", 1),
      mov(r0, 7),
    ),
  },
  callx: {
    "of a function's address": gives(42, loadFunction(r3, "answer"), callx(r3), exit(), label("answer"), mov(r0, 42)),
    "of a helper's number": gives(30, mov(r1, 10), mov(r2, 20), mov(r5, 99), callx(r5)),
  },
};

const helpers = new Map([
  [99, (helperCall: { u32(argument: 1 | 2): number }) => helperCall.u32(1) + helperCall.u32(2)],
]);

for (const [group, cases] of Object.entries(groups)) {
  const test = suite(`conformance group ${group}`);
  for (const [name, { items, result, memory = "", after }] of Object.entries(cases)) {
    test(name, () => {
      const instructions = assemble(items);
      const execution = execute(instructions, Buffer.from(memory, "hex"), 1000, helpers);
      assert.is(execution.result, result, `r0 is 0x${execution.result.toString(16)}, not 0x${result.toString(16)}`);
      if (after !== undefined) assert.is(Buffer.from(execution.memory).toString("hex"), after);
      // The same from bytes, so that only the encoding is used.
      assert.is(execute(decode(encode(instructions)), Buffer.from(memory, "hex"), 1000, helpers).result, result);
    });
  }
  test.run();
}

const faults = suite("faults of instructions");

const faultOf = (memory: string, ...items: Item[]): SimulationFault => {
  try {
    execute(assemble([...items, exit()]), Buffer.from(memory, "hex"), 1000);
  } catch (error) {
    if (error instanceof SimulationFault) return error;
    throw error;
  }
  throw new Error("the program ran without a fault");
};

const expectations: Readonly<Record<string, [memory: string, items: Item[], index: number, reason: RegExp]>> = {
  "a load past the end": [
    "01020304",
    [load("u32", r0, r1, 1)],
    0,
    /load of 4 bytes at offset 1, the last 1 past the end of the memory \(4 bytes\)/,
  ],
  "a load before the start": ["01020304", [load("u8", r0, r1, -1)], 0, /1 byte before the start of the memory/],
  "a store past the end": ["01020304", [store("u8", r1, 4, 1)], 0, /store of 1 byte 0 bytes past the end/],
  "a null pointer": ["", [mov(r2, 0), load("u64", r0, r2, 8)], 1, /null pointer \(at 0x8\)/],
  "a wild address": [
    "",
    [lddw(r2, 0xdead_beef_0000n), load("u8", r0, r2, 0)],
    1,
    /0xdeadbeef0000, where there is no memory/,
  ],
  "stack below the frame": ["", [store("u64", r10, -520, 1)], 0, /8 bytes before the start of the stack/],
  "stack above the frame": ["", [store("u8", r10, 0, 1)], 0, /0 bytes past the end of the stack/],
  "stack that was never written": [
    "",
    [store("u32", r10, -8, 1), load("u64", r0, r10, -8)],
    1,
    /byte r10-4 was never written/,
  ],
  "unwritten stack through another register": [
    "",
    [mov(r2, r10), load("u8", r0, r2, -16)],
    1,
    /byte r10-16 was never written/,
  ],
  "a frame whose function has returned": [
    "",
    [callFunction("f"), load("u8", r0, r0, 0), exit(), label("f"), store("u64", r10, -8, 1), mov(r0, r10), add(r0, -8)],
    1,
    /whose function has returned/,
  ],
  "r1 after a call": [
    "01",
    [callFunction("f"), load("u8", r0, r1, 0), exit(), label("f"), mov(r0, 0)],
    1,
    /where there is no memory/,
  ],
  "too many open calls": [
    "",
    [callFunction("f"), exit(), label("f"), callFunction("f")],
    2,
    /more than 8 calls are open/,
  ],
  "an exhausted budget": ["", [label("l"), mov(r0, 0), jump("l")], 0, /the budget of 1000 instructions is exhausted/],
  "an unknown helper": ["", [call(181)], 0, /does not implement helper 181/],
  "an unknown map": [
    "",
    [{ opcode: 0x18, dst: 1, src: 1, offset: 0, immediate: 5, immediateHigh: 0 }],
    0,
    /cannot resolve the reference/,
  ],
  "a jump out of the program": [
    "",
    [mov(r0, 0), { opcode: 0x05, dst: 0, src: 0, offset: 10, immediate: 0 }],
    1,
    /jumps out of the program/,
  ],
  "a jump into a wide instruction": [
    "",
    [{ opcode: 0x05, dst: 0, src: 0, offset: 1, immediate: 0 }, lddw(r0, 1n)],
    0,
    /jumps out of the program/,
  ],
  "an unknown opcode": [
    "",
    [{ opcode: 0xff, dst: 0, src: 0, offset: 0, immediate: 0 }],
    0,
    /does not know this instruction/,
  ],
  "a missing packet": ["", [loadAbsolute("u8", 0)], 0, /the run has no packet/],
};

for (const [name, [memory, items, index, reason]] of Object.entries(expectations)) {
  faults(name, () => {
    const fault = faultOf(memory, ...items);
    assert.match(fault.reason, reason);
    assert.is(fault.index, index);
  });
}

faults("the end of the program without an exit", () => {
  assert.throws(() => execute(assemble([mov(r0, 0)]), new Uint8Array(0), 10), /past its last instruction/);
});

faults("a message names the instruction and its line of TypeScript", () => {
  const source = { file: "/src/program.ts", line: 12, column: 3 };
  const fault = faultOf("", { ...load("u8", r4, r3, 0), source });
  assert.is(fault.message, "instruction 0 (r4 = *(u8 *)(r3 + 0), /src/program.ts:12:3): access through a null pointer");
  assert.equal(fault.source, source);
});

faults("may_goto jumps eventually", () => {
  // After 8 Mi iterations the loop ends.
  const loop = assemble([mov(r0, 0), label("l"), mayGoto("end"), add(r0, 1), jump("l"), label("end"), exit()]);
  assert.is(execute(loop, new Uint8Array(0), 1e9).result, 8388608n);
});

faults("steps count instructions", () => {
  assert.is(
    execute(assemble([mov(r7, 3), label("l"), sub(r7, 1), jne(r7, 0, "l"), lddw(r8, 1n), exit()]), new Uint8Array(0), 9)
      .steps,
    9,
  );
  assert.throws(
    () =>
      execute(
        assemble([mov(r7, 3), label("l"), sub(r7, 1), jne(r7, 0, "l"), lddw(r8, 1n), exit()]),
        new Uint8Array(0),
        8,
      ),
    /instruction 4 .* budget of 8/,
  );
});

faults.run();
