import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AsmError } from "../error.ts";
import { encode } from "../encode.ts";
import type { Instruction } from "../instruction.ts";
import { r0, r1, r10, r2, r3, r6, w0, w1, w2 } from "../register.ts";
import * as build from "./index.ts";

const test = suite("asm/operations");

/** The encodings of LLVM's assembler (19, `-mcpu=v4`), or of the kernel's headers for instructions that LLVM lacks. */
const table: readonly [have: Instruction, want: string][] = [
  [build.mov(r1, -1), "b7010000ffffffff"],
  [build.mov(w1, 0xffff_ffff), "b4010000ffffffff"],
  [build.mov(r6, r1), "bf16000000000000"],
  [build.mov(w1, w2), "bc21000000000000"],
  [build.add(r1, 22), "0701000016000000"],
  [build.add(r1, r2), "0f21000000000000"],
  [build.add(w1, 22), "0401000016000000"],
  [build.sub(r1, 22), "1701000016000000"],
  [build.mul(r1, r2), "2f21000000000000"],
  [build.div(r1, 3), "3701000003000000"],
  [build.mod(w1, w2), "9c21000000000000"],
  [build.sdiv(r1, r2), "3f21010000000000"],
  [build.sdiv(w1, w2), "3c21010000000000"],
  [build.smod(r1, 3), "9701010003000000"],
  [build.and(r1, 0xff), "57010000ff000000"],
  [build.or(w1, w2), "4c21000000000000"],
  [build.xor(r1, r2), "af21000000000000"],
  [build.lsh(r1, 32), "6701000020000000"],
  [build.rsh(r1, 32), "7701000020000000"],
  [build.arsh(w1, 3), "c401000003000000"],
  [build.neg(r1), "8701000000000000"],
  [build.neg(w1), "8401000000000000"],
  [build.movsx8(r1, r2), "bf21080000000000"],
  [build.movsx16(w1, w2), "bc21100000000000"],
  [build.movsx32(r1, r2), "bf21200000000000"],
  [build.be16(r1), "dc01000010000000"],
  [build.be32(r1), "dc01000020000000"],
  [build.be64(r1), "dc01000040000000"],
  [build.le16(r1), "d401000010000000"],
  [build.le32(r1), "d401000020000000"],
  [build.le64(r1), "d401000040000000"],
  [build.bswap16(r1), "d701000010000000"],
  [build.bswap32(r1), "d701000020000000"],
  [build.bswap64(r1), "d701000040000000"],
  [build.addressSpaceCast(r1, r2, 1, 0), "bf21010000000100"],
  [build.load("u8", r1, r2, 0), "7121000000000000"],
  [build.load("u16", r1, r2, 2), "6921020000000000"],
  [build.load("u32", r1, r6, 4), "6161040000000000"],
  [build.load("u64", r1, r10, -8), "79a1f8ff00000000"],
  [build.load("i8", r1, r2, -4), "9121fcff00000000"],
  [build.load("i16", r1, r2, 0), "8921000000000000"],
  [build.load("i32", r1, r2, 0), "8121000000000000"],
  [build.store("u8", r6, 0, r1), "7316000000000000"],
  [build.store("u16", r6, 0, r1), "6b16000000000000"],
  [build.store("u32", r6, 4, r1), "6316040000000000"],
  [build.store("u64", r10, -8, r1), "7b1af8ff00000000"],
  [build.store("u64", r6, -4, 77), "7a06fcff4d000000"],
  [build.store("u32", r6, 0, 0xffff_ffff), "62060000ffffffff"],
  [build.store("u16", r6, 0, 0xffff), "6a060000ffff0000"],
  [build.store("u8", r6, 0, -1), "72060000ffffffff"],
  [build.loadAbsolute("u8", 4), "3000000004000000"],
  [build.loadIndirect("u16", r2, 4), "4820000004000000"],
  [build.atomicAdd("u64", r1, 0, r2), "db21000000000000"],
  [build.atomicAdd("u32", r1, 0, r2, { fetch: true }), "c321000001000000"],
  [build.atomicOr("u64", r1, 0, r2), "db21000040000000"],
  [build.atomicAnd("u64", r1, 0, r2, { fetch: true }), "db21000051000000"],
  [build.atomicXor("u64", r1, 0, r2), "db210000a0000000"],
  [build.exchange("u64", r1, 0, r2), "db210000e1000000"],
  [build.compareExchange("u32", r1, 4, r2), "c3210400f1000000"],
  [build.loadAcquire("u16", r1, r2, 4), "cb21040000010000"],
  [build.storeRelease("u64", r1, 4, r2), "db21040010010000"],
  [build.lddw(r1, 1), "18010000010000000000000000000000"],
  [build.lddw(r1, -1), "18010000ffffffff00000000ffffffff"],
  [build.lddw(r1, 0x1_ffff_ffff), "18010000ffffffff0000000001000000"],
  [build.lddw(r1, 0x1122_3344_5566_7788n), "18010000887766550000000044332211"],
  [build.lddw(r1, 0xffff_ffff_ffff_ffffn), "18010000ffffffff00000000ffffffff"],
  [build.lddw(r1, -0x8000_0000_0000_0000n), "18010000000000000000000000000080"],
  [build.loadMap(r1, "services"), "18110000000000000000000000000000"],
  [build.loadMap(r1, { fd: 5 }), "18110000050000000000000000000000"],
  [build.loadMap(r1, { index: 5 }), "18510000050000000000000000000000"],
  [build.loadMapValue(r1, { name: "services" }, 8), "18210000000000000000000008000000"],
  [build.loadMapValue(r1, { fd: 5 }, 8), "18210000050000000000000008000000"],
  [build.loadMapValue(r1, { index: 5 }), "18610000050000000000000000000000"],
  [build.loadKernelVariable(r1, 7), "18310000070000000000000000000000"],
  [build.loadFunction(r1, 7), "18410000070000000000000000000000"],
  [build.jump(3), "0500030000000000"],
  [build.gotol(-3), "06000000fdffffff"],
  [build.gotox(r3), "0d03000000000000"],
  [build.mayGoto(3), "e500030000000000"],
  [build.jeq(r1, r2, 3), "1d21030000000000"],
  [build.jne(w1, 0x50, -2), "5601feff50000000"],
  [build.jgt(r1, 1, 0), "2501000001000000"],
  [build.jge(r1, 1, 0), "3501000001000000"],
  [build.jlt(r1, 1, 0), "a501000001000000"],
  [build.jle(r1, 1, 0), "b501000001000000"],
  [build.jsgt(r1, 1, 0), "6501000001000000"],
  [build.jsge(r1, -3, -3), "7501fdfffdffffff"],
  [build.jslt(w1, w2, 0), "ce21000000000000"],
  [build.jsle(r1, 1, 0), "d501000001000000"],
  [build.jset(r1, 3, -4), "4501fcff03000000"],
  [build.call(1), "8500000001000000"],
  [build.call("bpf_sk_storage_get"), "850000006b000000"],
  [build.callFunction(-12), "85100000f4ffffff"],
  [build.callKernel("bpf_task_acquire"), "8520000000000000"],
  [build.callKernel(77, 2), "852002004d000000"],
  [build.callx(r2), "8d02000000000000"],
  [build.exit(), "9500000000000000"],
];

test("each builder gives the expected encoding", () => {
  for (const [have, want] of table) assert.is(Buffer.from(encode([have])).toString("hex"), want, JSON.stringify(have));
});

test("all instructions have one shape", () => {
  const shape = Object.keys(build.exit());
  for (const [have] of table) assert.equal(Object.keys(have), shape);
});

test("names are kept as references", () => {
  assert.equal(build.loadMap(r1, { name: "m" }).reference, { kind: "map", name: "m" });
  assert.equal(build.loadMapValue(r1, "m", 4).reference, { kind: "map-value", name: "m", offset: 4 });
  assert.equal(build.loadFunction(r1, "f").reference, { kind: "function", name: "f" });
  assert.equal(build.jump("x").reference, { kind: "label", name: "x" });
  assert.equal(build.jeq(r1, 0, "x").reference, { kind: "label", name: "x" });
  assert.equal(build.callFunction("f").reference, { kind: "label", name: "f" });
  assert.equal(build.callKernel("k").reference, { kind: "kernel-function", name: "k" });
});

test("at() adds the source location and changes nothing else", () => {
  const source = { file: "/a.ts", line: 3, column: 5 };
  const plain = build.loadMap(r1, "m");
  assert.equal(build.at(source, plain), { ...plain, source });
});

const refusals: readonly [what: () => Instruction, why: RegExp][] = [
  [() => build.add(r1, 0xffff_ffff), /add: the immediate 4294967295 would be sign-extended.*lddw/],
  [() => build.add(w1, 2 ** 32), /add: the immediate is a whole number of 32 bits/],
  [() => build.mov(r1, 0.5), /whole number/],
  [() => build.lddw(r1, 2 ** 60), /bigint/],
  [() => build.lddw(r1, 1n << 64n), /64 bits/],
  [() => build.load("u32", r1, r2, 40_000), /load: the offset .* not 40000/],
  [() => build.store("u8", r1, 0, 256), /256 does not fit u8/],
  [() => build.store("u16", r1, 0, -40_000), /-40000 does not fit u16/],
  [() => build.store("u64", r1, 0, 0xffff_ffff), /sign-extended/],
  [() => build.jump(40_000), /jump: the offset/],
  [() => build.jeq(r1, 2 ** 31, "x"), /jeq: the immediate 2147483648 would be sign-extended/],
  // @ts-expect-error not a helper
  [() => build.call("bpf_nonsense"), /no helper is named bpf_nonsense/],
  [() => build.addressSpaceCast(r1, r2, 65_536, 0), /address space/],
];

test("the error for an operand out of range gives the reason", () => {
  for (const [what, why] of refusals)
    assert.throws(what, (error: unknown) => error instanceof AsmError && why.test(error.message), String(what));
});

test("registers of two widths do not mix", () => {
  // @ts-expect-error a whole register and half a one
  assert.throws(() => build.add(r0, w1), /add: both registers must have the same width, unlike r0 and w1/);
  // @ts-expect-error half a register and a whole one
  assert.throws(() => build.jeq(w0, r1, 0), /jeq: both registers must have the same width/);
  // @ts-expect-error a sign extension to 32 bits of a whole register
  assert.throws(() => build.movsx8(w0, r1), /movsx8: both registers must have the same width/);
});

test.run();
