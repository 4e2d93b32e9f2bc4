import { suite } from "uvu";
import * as assert from "uvu/assert";
import fc from "fast-check";
import { assemble } from "../assemble.ts";
import {
  add,
  be16,
  call,
  callFunction,
  callKernel,
  compareExchange,
  exchange,
  exit,
  jeq,
  jne,
  jsgt,
  jump,
  label,
  lddw,
  load,
  loadAbsolute,
  loadAcquire,
  loadFunction,
  loadIndirect,
  loadKernelVariable,
  loadMap,
  loadMapValue,
  atomicAdd,
  mov,
  store,
  storeRelease,
} from "../operations/index.ts";
import { encode } from "../encode.ts";
import { r0, r1, r10, r2, r3, r6, w0, w1, w2 } from "../register.ts";
import { parseAssembly } from "./parse.ts";
import { AsmSyntaxError } from "./syntax-error.ts";

const test = suite("asm/text/parse");

const hexOf = (text: string) =>
  Buffer.from(encode(assemble(parseAssembly(text))))
    .toString("hex")
    .replace(/.{16}(?=.)/g, "$& ");

test("lines are instructions, labels and comments", () => {
  assert.equal(
    parseAssembly(`
    r6 = r1            ; a comment
    /* one over
       two lines */ r1 = *(u32 *)(r6 + 4) // another
    loop: if w1 != 0x50 goto loop # and another
    .LBB0_1:
    call bpf_map_lookup_elem
    exit /* end */ ; really
  `),
    [mov(r6, r1), load("u32", r1, r6, 4), label("loop"), jne(w1, 0x50, "loop"), label(".LBB0_1"), call(1), exit()],
  );
  assert.equal(parseAssembly(""), []);
  assert.equal(parseAssembly("exit\r\nexit"), [exit(), exit()]);
});

test("blanks are optional", () => {
  assert.equal(parseAssembly("r1=*(u32*)(r6+4)\nr1 =\t* ( u32 * ) ( r6 - 4 )\nif r1==r2 goto+3\nr1+=-5"), [
    load("u32", r1, r6, 4),
    load("u32", r1, r6, -4),
    jeq(r1, r2, 3),
    add(r1, -5),
  ]);
});

test("a listing may start at any slot, and may contain lines without slot numbers", () => {
  assert.equal(parseAssembly("7: r1 = 5 ll\n9: exit\nr0 = 0\n10: exit"), [lddw(r1, 5), exit(), mov(r0, 0), exit()]);
});

test("both spellings of an instruction are read: LLVM's and the verifier's", () => {
  const pairs: readonly [string, string][] = [
    ["w1 = *(u32 *)(r6 + 0x4)", "r1 = *(u32 *)(r6 +4)"],
    ["*(u32 *)(r6 + 0x4) = w1", "*(u32 *)(r6 +4) = r1"],
    ["lock *(u32 *)(r1 + 0x0) += w2", "lock *(u32 *)(r1 +0) += r2"],
    ["r2 = atomic_fetch_add((u64 *)(r1 + 0x0), r2)", "r2 = atomic64_fetch_add((u64 *)(r1 +0), r2)"],
    ["w2 = atomic_fetch_or((u32 *)(r1 + 0x0), w2)", "r2 = atomic_fetch_or((u32 *)(r1 +0), r2)"],
    ["r2 = xchg_64(r1 + 0x8, r2)", "r2 = atomic64_xchg((u64 *)(r1 +8), r2)"],
    ["w2 = xchg32_32(r1 + 0x8, w2)", "r2 = atomic_xchg((u32 *)(r1 +8), r2)"],
    ["r0 = cmpxchg_64(r1 + 0x8, r0, r2)", "r0 = atomic64_cmpxchg((u64 *)(r1 +8), r0, r2)"],
    ["w0 = cmpxchg32_32(r1 + 0x8, w0, w2)", "r0 = atomic_cmpxchg((u32 *)(r1 +8), r0, r2)"],
    ["r1 = be16 r1", "w1 = be16 w1"],
    ["goto +0x3 <foo+0x8>", "goto pc+3"],
    ["gotol -0x3 <foo>", "gotol pc-3"],
    ["call -0x3", "call pc-3"],
    ["call 0x1", "call bpf_map_lookup_elem#1"],
    ["if w1 == -0x3 goto +0x1", "if w1 == 0xfffffffd goto pc+1"],
    ["if r1 == -0x3 goto +0x1", "5: (15) if r1 == 0xfffffffd goto pc+1"],
    ["r1 = 0x1122334455667788 ll", "7: (18) r1 = 0x1122334455667788"],
    ["r1 = 0x5 ll", "7: (18) r1 = 0x5"],
    ["ld_pseudo\tr1, 0x1, 0x5", "r1 = map[id:5]"],
    ["ld_pseudo r1, 5, 7", "r1 = map[idx:7] ll"],
    ["w1 = load_acquire((u32 *)(r2 + 0x4))", "r1 = load_acquire((u32 *)(r2 +4))"],
    ["store_release((u8 *)(r1 + 0x4), w2)", "store_release((u8 *)(r1 +4), r2)"],
    ["r1 = addr_space_cast(r2, 0x1, 0x0)", "r1 = addr_space_cast(r2, 1, 0)"],
  ];
  for (const [llvm, verifier] of pairs) assert.is(hexOf(llvm), hexOf(verifier), llvm);
});

test("the rarer forms", () => {
  const pairs: readonly [string, ReturnType<typeof exit>][] = [
    ["r0 = *(u16 *)skb[12]", loadAbsolute("u16", 12)],
    ["r0 = *(u8 *)skb[r2 + 4]", loadIndirect("u8", r2, 4)],
    ["r0 = *(u8 *)skb[r2]", loadIndirect("u8", r2)],
    ["*(u64 *)(r10 - 8) = -1", store("u64", r10, -8, -1)],
    ["*(u8 *)(r10 - 8) = 255", store("u8", r10, -8, 255)],
    ["if r1 s> -0x3 goto +1", jsgt(r1, -3, 1)],
    ["r1 = be16 r1", be16(r1)],
    ["lock *(u64 *)(r1 - 8) += r2", atomicAdd("u64", r1, -8, r2)],
    ["r2 = xchg_64(r1 - 8, r2)", exchange("u64", r1, -8, r2)],
    ["w0 = cmpxchg32_32(r1 + 4, w0, w2)", compareExchange("u32", r1, 4, r2)],
    ["r1 = load_acquire((u64 *)(r2 + 8))", loadAcquire("u64", r1, r2, 8)],
    ["store_release((u16 *)(r1 + 8), r2)", storeRelease("u16", r1, 8, r2)],
    ["call kernel-function#77", callKernel(77)],
    ["call bpf_dynptr_slice#77", callKernel(77)],
    ["call kernel-function#77 btf[2]", callKernel(77, 2)],
    ["call kernel-function bpf_task_acquire", callKernel("bpf_task_acquire")],
    ["call unknown#300", call(300)],
    ["r1 = map[services]", loadMap(r1, "services")],
    ["r1 = services ll", loadMap(r1, "services")],
    ["r1 = map[services][0]+8 ll", loadMapValue(r1, "services", 8)],
    ["r1 = map[fd:5][0]+8 ll", loadMapValue(r1, { fd: 5 }, 8)],
    ["r1 = map[idx:5][0]+8 ll", loadMapValue(r1, { index: 5 }, 8)],
    ["r1 = btf[id:5] ll", loadKernelVariable(r1, 5)],
    ["r1 = btf[fd:3, id:5]", loadKernelVariable(r1, 5, 3)],
    ["r1 = subprog[-3]", loadFunction(r1, -3)],
    ["w1 = 4294967295", mov(w1, -1)],
    ["r1 = -1 ll", lddw(r1, -1)],
    ["r1 = 18446744073709551615 ll", lddw(r1, -1)],
    ["r1 = -9223372036854775808 ll", lddw(r1, -0x8000_0000_0000_0000n)],
  ];
  for (const [text, want] of pairs) assert.equal(parseAssembly(text), [want], text);
});

test("a bare name is a subprogram's address if such a label exists", () => {
  assert.equal(parseAssembly("r1 = f ll\nr2 = m ll\nr3 = map[f] ll\ncall f\nexit\nf: exit"), [
    loadFunction(r1, "f"),
    loadMap(r2, "m"),
    loadMap(r3, "f"),
    callFunction("f"),
    exit(),
    label("f"),
    exit(),
  ]);
});

test("a disassembly by llvm-objdump can be pasted", () => {
  assert.is(
    hexOf(`
b.o:	file format elf64-bpf

Disassembly of section .text:

0000000000000000 <main>:
       0:	18 01 00 00 01 00 00 00 00 00 00 00 00 00 00 00	r1 = 0x1 ll
       2:	61 61 04 00 00 00 00 00	w1 = *(u32 *)(r6 + 0x4)
       3:	85 10 00 00 01 00 00 00	call 0x1
       4:	85 00 00 00 01 00 00 00	call 0x1

0000000000000028 <foo>:
       5:	56 01 fe ff 50 00 00 00	if w1 != 0x50 goto -0x2 <main+0x18>
       6:	95 00 00 00 00 00 00 00	exit
`),
    "1801000001000000 0000000000000000 6161040000000000 8510000001000000 8500000001000000 5601feff50000000 " +
      "9500000000000000",
  );
});

test("llvm-objdump's heading may name any path", () => {
  for (const path of ["./dir/at.o", "/tmp/a b/at.o", "at-1.o", "12/x.o", "dir/exit.o"])
    assert.is(
      hexOf(
        `\n${path}:\tfile format elf64-bpf\n\nDisassembly of section .text:\n\n` +
          "       0:\t95 00 00 00 00 00 00 00\texit\n",
      ),
      "9500000000000000",
    );
});

test("the output of llvm-mc can be pasted", () => {
  assert.is(
    hexOf(`	.text
	.globl	main
	.type	main,@function
main:
	r1 = 1 ll                               # encoding: [0x18,0x01]
	if r1 == -1 goto .LBB0_2                # encoding: [0x15'A']
                                        #   fixup A - offset: 0, value: foo, kind: FK_PCRel_2
.LBB0_2:
	exit
`),
    "1801000001000000 0000000000000000 15010000ffffffff 9500000000000000",
  );
});

test("a log of the verifier can be pasted", () => {
  assert.is(
    hexOf(`func#0 @0
0: R1=ctx() R10=fp0
; int connect4(struct bpf_sock_addr *ctx) @ a.c:10
0: (bf) r6 = r1                       ; R1=ctx() R6_w=ctx()
1: (61) r1 = *(u32 *)(r6 +4)
2: (18) r1 = 0xffff8881052ed000       ; R1_w=map_ptr(map=services,ks=4,vs=8)
4: (85) call bpf_map_lookup_elem#1    ; R0_w=map_value_or_null(id=1)
5: (55) if r0 != 0x0 goto pc+1        ; R0_w=0
6: (05) goto pc-7
7: (95) exit
processed 8 insns (limit 1000000) max_states_per_insn 0 total_states 1 peak_states 1 mark_read 1
`),
    "bf16000000000000 6161040000000000 1801000000d02e05 000000008188ffff 8500000001000000 5500010000000000 " +
      "0500f9ff00000000 9500000000000000",
  );
});

test("the verifier's table of live registers can be pasted", () => {
  assert.is(
    hexOf(`Live regs before insn:
      0: .1.......9 (bf) r6 = r1
      1: ......6..9 (18) r2 = 0x5
      3: .......... (95) exit
`),
    "bf16000000000000 1802000005000000 0000000000000000 9500000000000000",
  );
});

test("with a file name, each instruction has its location", () => {
  const items = parseAssembly("; c\n  r0 = 0 /* over\n lines */\nx:\n\tgoto x", { file: "/a.s" });
  assert.equal(
    items.map((item) => ("source" in item ? item.source : undefined)),
    [{ file: "/a.s", line: 2, column: 3 }, undefined, { file: "/a.s", line: 5, column: 2 }],
  );
  assert.equal(parseAssembly("exit", { file: "/a.s", sources: false }), [exit()]);
});

const errors: readonly [text: string, message: string | RegExp][] = [
  [
    "r0 = 0\n  r1 = rr2",
    /^2:8: expected a register, a number, a load, or map\[…\], subprog\[…\], btf\[…\], but found "rr2"$/,
  ],
  ["frobnicate r1", '1:1: expected an instruction, or a label with a colon, but found "frobnicate"'],
  ["r1", "1:3: expected an operator: = += -= *= /= %= s/= s%= &= |= ^= <<= >>= s>>=, but found the end of the line"],
  ["r1 s+= 2", /^1:4: expected an operator/],
  ["r1 + 2", /^1:4: expected an operator/],
  ["r11 = 0", "1:1: there is no register r11: expected r0 to r10, or w0 to w10"],
  ["r1 += w2", '1:7: expected a 64-bit register (r0 to r10), but found "w2"'],
  ["w1 = r2", '1:6: expected a 32-bit register (w0 to w10), but found "r2"'],
  ["r1 = 0xffffffff", /^1:6: 0xffffffff is not a signed number of 32 bits: expected "ll" after it/],
  ["w1 = 0x1ffffffff", /^1:6: .*a 32-bit register holds no more/],
  [
    "r1 += 0xffffffff",
    /^1:7: 0xffffffff would be sign-extended to 64 bits: expected -0x80000000 to 0x7fffffff, or a w register/,
  ],
  ["r1 += 99999999999", /^1:7: 99999999999 does not fit/],
  ["r1 = 18446744073709551616 ll", "1:6: expected a number of 64 bits"],
  ["w1 = 5 ll", /^1:6: a 64-bit immediate goes to a 64-bit register/],
  ["r1 = 0x", "1:8: expected a hexadecimal digit, but found the end of the line"],
  ["r1 = 12ab", '1:8: expected a digit, but found "ab"'],
  ["r1 = 017", /^1:6: expected a decimal number without leading zeros/],
  ["r1 = 5 6", '1:8: expected the end of the line, but found "6"'],
  ["exit exit", '1:6: expected the end of the line, but found "exit"'],
  ["r1 = *(u33 *)(r2 + 0)", /^1:8: expected a type: u8/],
  ["r1 = *(u32 *)(r2)", '1:17: expected "+" or "-" and an offset, but found ")"'],
  ["r1 = *(u32 *)(w2 + 0)", /^1:15: expected a 64-bit register/],
  ["r1 = *(u32 *)(r2 + 40000)", "1:20: offset 40000 does not fit: expected -32768 to 32767"],
  ["w1 = *(u64 *)(r2 + 0)", /^1:7: a 32-bit register takes 4 bytes or less/],
  ["*(s8 *)(r1 + 0) = r2", /^1:2: a store has no sign/],
  ["*(u64 *)(r1 + 0) = w2", /^1:20: expected a 64-bit register/],
  ["r1 = -r2", /^1:7: expected r1, the register on the left, but found "r2"/],
  ["r1 = be16 r2", /^1:11: expected r1/],
  ["w1 = be64 w1", /64-bit register/],
  ["r1 = (s64)r2", '1:7: expected s8, s16 or s32, but found "s64"'],
  ["r1 = *(u64 *)skb[0]", /^1:7: a packet load goes to register 0/],
  ["r0 = *(u64 *)skb[0]", /^1:7: a packet load takes 4 bytes or less/],
  ["lock *(u8 *)(r1 + 0) += r2", /^1:7: an atomic operation takes 4 or 8 bytes/],
  ["lock *(u64 *)(r1 + 0) -= r2", /^1:23: expected "\+=", "\|=", "&=" or "\^="/],
  ["r1 = atomic_fetch_add((u64 *)(r1 + 0), r2)", /^1:40: register 2 receives the old value/],
  ["r1 = cmpxchg_64(r1 + 0, r0, r2)", /register 0 receives the old value/],
  ["r0 = cmpxchg_64(r1 + 0, r1, r2)", /^1:25: expected r0, which a compare and exchange/],
  ["if r1 = r2 goto +1", /^1:7: expected a comparison/],
  ["if r1 == r2 gote +1", '1:13: expected "goto", but found "gote"'],
  ["goto 3", /^1:6: expected a label, or an offset with a sign/],
  ["goto +40000", "1:6: offset 40000 does not fit: expected 16 bits with sign"],
  ["exit\ngoto nowhere", '2:6: label or helper "nowhere" is not defined: expected one that is'],
  ["call bpf_nonsense", /^1:6: label or helper "bpf_nonsense" is not defined/],
  ["call bpf_map_lookup_elem#2", "1:6: bpf_map_lookup_elem is helper 1, not 2"],
  ["x:\nx:", '2:1: label "x" is defined twice: expected another name'],
  ["bpf_redirect: exit", /^1:1: bpf_redirect is a helper/],
  ["exit /* never closed", "1:6: this comment is not closed: expected */"],
  ["r1 = map[", "1:10: expected a map's name, fd:, id: or idx:, but found the end of the line"],
  ["r1 = map[xd:4]", /^1:10: expected fd:, id: or idx:/],
  ["r1 = map[m][1]+4", /first value/],
  ["  0: R_BPF_64_64 x", /relocation/],
  [
    "57: (05) goto pc+2\n60: (95) exit",
    "2:10: slot 60 is out of turn: expected slot 58, so that jumps keep their targets",
  ],
  ["3: r1 = 5 ll\n4: exit", /^2:4: slot 4 is out of turn: expected slot 5/],
  [".long 5", /^1:1: expected an instruction/],
  ["12", /^1:1: expected an instruction/],
];

test("errors have the line, the column and the expectation", () => {
  for (const [text, message] of errors) {
    try {
      parseAssembly(text);
    } catch (error) {
      if (!(error instanceof AsmSyntaxError)) throw error;
      if (typeof message === "string") assert.is(error.message, message);
      else assert.match(error.message, message);
      continue;
    }
    assert.unreachable(`${JSON.stringify(text)} was accepted`);
  }
});

test("the error begins with the file's name, and has the place as fields", () => {
  try {
    parseAssembly("exit\n  bad", { file: "a.s" });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, AsmSyntaxError);
    const { message, line, column } = error as AsmSyntaxError;
    assert.is(message, 'a.s:2:3: expected an instruction, or a label with a colon, but found "bad"');
    assert.equal([line, column], [2, 3]);
  }
});

test("any text is either parsed or refused with its place", () => {
  const words = fc.constantFrom(
    "r1",
    "w2",
    "r0",
    " ",
    " = ",
    "+=",
    "s>>=",
    "*",
    "(",
    ")",
    "(u32 *)",
    "[",
    "]",
    "map",
    "if",
    "goto",
    "call",
    "lock",
    "exit",
    "ll",
    "+3",
    "-1",
    "0x",
    "5",
    "x",
    ":",
    ";",
    "#",
    "\n",
    "/*",
    "*/",
    "skb",
    ",",
    "cmpxchg_64",
    "<",
    "99999999999999999999",
    "0:",
    "(18)",
    "R1",
    "pc+",
    "subprog[",
    "btf[id:",
  );
  fc.assert(
    fc.property(fc.array(words, { maxLength: 12 }), (parts) => {
      try {
        assemble(parseAssembly(parts.join("")));
      } catch (error) {
        assert.instance(error, AsmSyntaxError);
      }
    }),
    { numRuns: 5_000 },
  );
});

test("w0 and r3 are registers like the others", () => {
  assert.equal(parseAssembly("w0 += 1\nr3 += 1"), [add(w0, 1), add(r3, 1)]);
});

test("a jump to a label counts two slots for lddw", () => {
  assert.equal(assemble(parseAssembly("goto x\nr1 = 1 ll\nx: exit\nif w2 == w0 goto x")), [
    jump(2),
    lddw(r1, 1),
    exit(),
    jeq(w2, w0, -2),
  ]);
});

test.run();
