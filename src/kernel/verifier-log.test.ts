import { suite } from "uvu";
import * as assert from "uvu/assert";
import { VerifierError } from "./verifier-error.ts";
import { verifierHint } from "./verifier-hints.ts";
import { parseVerifierLog } from "./verifier-log.ts";

const test = suite("kernel: the verifier's log");

/** Logs of several kernels, each with its own format. */
const logs: readonly {
  readonly kernel: string;
  readonly log: string;
  readonly reason: string;
  readonly slot: number | undefined;
  readonly hint: RegExp;
}[] = [
  {
    kernel: "5.10, return value",
    log: `func#0 @0
0: R1=ctx(id=0,off=0,imm=0) R10=fp0
0: (b7) r0 = 2
1: R0_w=inv2 R1=ctx(id=0,off=0,imm=0) R10=fp0
1: (95) exit
At program exit the register R0 has value (0x2; 0x0) should have been in (0x0; 0x1)
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`,
    reason: "At program exit the register R0 has value (0x2; 0x0) should have been in (0x0; 0x1)",
    slot: 1,
    hint: /return value/,
  },
  {
    kernel: "5.10, null",
    log: `; const entry = b.lookup(services, key);
5: (85) call bpf_map_lookup_elem#1
6: R0_w=map_value_or_null(id=1,off=0,ks=4,vs=8,imm=0) R10=fp0 fp-8=mmmm????
; entry.count
6: (79) r0 = *(u64 *)(r0 +0)
R0 invalid mem access 'map_value_or_null'
processed 7 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`,
    reason: "R0 invalid mem access 'map_value_or_null'",
    slot: 6,
    hint: /may be null/,
  },
  {
    kernel: "5.10, uninitialized stack",
    log: `4: (85) call bpf_map_lookup_elem#1
invalid indirect read from stack off -8+4 size 8
processed 5 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`,
    reason: "invalid indirect read from stack off -8+4 size 8",
    slot: 4,
    hint: /padding/,
  },
  {
    kernel: "6.1, return value, with precision backtracking",
    log: `0: R1=ctx(off=0,imm=0) R10=fp0
0: (b7) r0 = 2                        ; R0_w=2
1: (95) exit
At program exit the register R0 has value (0x2; 0x0) should have been in (0x0; 0x1)
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`,
    reason: "At program exit the register R0 has value (0x2; 0x0) should have been in (0x0; 0x1)",
    slot: 1,
    hint: /return value/,
  },
  {
    kernel: "6.1, two lines of reason",
    log: `6: (15) if r0 == 0x0 goto pc+1        ; R0_w=map_value(off=0,ks=4,vs=8,imm=0)
7: (79) r0 = *(u64 *)(r0 +8)
invalid access to map value, value_size=8 off=8 size=8
R0 min value is outside of the allowed memory range
processed 8 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`,
    reason:
      "invalid access to map value, value_size=8 off=8 size=8; R0 min value is outside of the allowed memory range",
    slot: 7,
    hint: /bounded/,
  },
  {
    kernel: "6.1, before any instruction",
    log: `unreachable insn 2
processed 0 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`,
    reason: "unreachable insn 2",
    slot: 2,
    hint: /never reached/,
  },
  {
    kernel: "6.12, return value",
    log: `0: R1=ctx() R10=fp0
0: (b7) r0 = 2                        ; R0_w=2
1: (95) exit
mark_precise: frame0: last_idx 1 first_idx 0 subseq_idx -1
mark_precise: frame0: regs=r0 stack= before 0: (b7) r0 = 2
At program exit the register R0 has smin=2 smax=2 should have been in [0, 1]
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`,
    reason: "At program exit the register R0 has smin=2 smax=2 should have been in [0, 1]",
    slot: 1,
    hint: /return value/,
  },
  {
    kernel: "6.18, a loop, with states after the reason",
    log: `0: R1=ctx() R10=fp0
0: (b7) r0 = 0                        ; R0=0
1: (07) r0 += 0                       ; R0=0
2: (15) if r0 == 0x0 goto pc-2        ; R0=0
infinite loop detected at insn 1
cur state: R0=0 R10=fp0
old state: R0=P0 R10=fp0
processed 9 insns (limit 1000000) max_states_per_insn 0 total_states 1 peak_states 1 mark_read 0
`,
    reason: "infinite loop detected at insn 1",
    slot: 1,
    hint: /loop/,
  },
  {
    kernel: "6.18, statistics at the end",
    log: `from 3 to 5: R0=0 R10=fp0
5: (95) exit
Unreleased reference id=2 alloc_insn=1
verification time 12 usec
stack depth 0
processed 6 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`,
    reason: "Unreleased reference id=2 alloc_insn=1",
    slot: 5,
    hint: /released/,
  },
  {
    kernel: "6.18, the full trace, before any instruction",
    log: `func#0 @0
func#1 @3
Live regs before insn:
      0: .......... (b7) r6 = 0
  1   1: ......6... (85) call bpf_get_prandom_u32#7
      2: 0......... (95) exit
combined stack size of 3 calls is 800. Too large
processed 9 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`,
    reason: "combined stack size of 3 calls is 800. Too large",
    slot: undefined,
    hint: /512 bytes/,
  },
  {
    kernel: "7.3, with its explanation",
    log: `0: R1=ctx() R10=fp0
;  @ y.ts:3
0: (62) *(u32 *)(r10 -4) = 0          ; R10=fp0 fp-8=0000????
1: (bf) r2 = r10                      ; R2=fp0 R10=fp0
2: (07) r2 += -4                      ; R2=fp-4
3: (18) r1 = 0xffff8b25c5c8a400       ; R1=map_ptr(map=m,ks=4,vs=8)
5: (85) call bpf_map_lookup_elem#1    ; R0=map_value_or_null(id=1,map=m,ks=4,vs=8)
6: (79) r0 = *(u64 *)(r0 +0)
R0 invalid mem access 'map_value_or_null'

Verification failed: Register Type Safety: Invalid dereference

Reason:
  R0 may be NULL here (a nullable map value pointer). The program could dereference NULL on this
  path, so the verifier cannot prove this access is safe.

At:
  null @ y.ts:3:4
       | ^-- error: invalid dereference of R0 (a nullable map value pointer)
  Instruction context:
      5 | (85) call bpf_map_lookup_elem#1
  >>> 6 | (79) r0 = *(u64 *)(r0 +0)
      7 | (95) exit

Causal path:
  null @ y.ts:3:4
       | ^-- update: R0 changed from uninitialized value to nullable map value from m at offset 0
  Instruction context:
      3 | (18) r1 = 0xffff8b25c5c8a400
  >>> 5 | (85) call bpf_map_lookup_elem#1
      6 | (79) r0 = *(u64 *)(r0 +0)
      7 | (95) exit

Suggestion:
  Add a NULL check before the access and dereference the pointer only on the non-NULL path.

processed 6 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0

`,
    reason: "R0 invalid mem access 'map_value_or_null'",
    slot: 6,
    hint: /may be null/,
  },
  {
    kernel: "7.3, before any instruction",
    log: `unreachable insn 2

Verification failed: Program Structure: Unreachable instruction

Reason:
  Instruction 2 is not reachable from the program entry point.

At:
  loop @ y.ts:3:4
       | ^-- error: unreachable instruction
  Instruction context:
      0 | (b7) r0 = 0
      1 | (05) goto pc-1
  >>> 2 | (95) exit

Suggestion:
  Remove the unreachable instruction or add valid control flow that reaches it.

processed 0 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0

`,
    reason: "unreachable insn 2",
    slot: 2,
    hint: /never reached/,
  },
  {
    kernel: "7.3, the explanation alone",
    log: `0: R1=ctx() R10=fp0
3: (95) exit

Verification failed: Something New

Reason:
  Two lines of it,
  the second one here.

At:
  main @ y.ts:3:4
       | ^-- error: something
  Instruction context:
      1 | (b7) r0 = 0
  >>> 2 | (95) exit

Suggestion:
  Do it otherwise.

processed 1 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`,
    reason: "Two lines of it, the second one here.",
    slot: 2,
    hint: /Do it otherwise/,
  },
];

for (const { kernel, log, reason, slot, hint } of logs) {
  test(`finds the reason: ${kernel}`, () => {
    const parsed = parseVerifierLog(log);
    assert.is(parsed.reason, reason);
    assert.is(parsed.slot, slot);
    assert.match(new VerifierError("p", 22, log).hint!, hint);
  });
}

test("steps have instruction, registers and source line, in the old and new formats", () => {
  assert.equal(parseVerifierLog(logs[1]!.log).steps, [
    {
      slot: 5,
      instruction: "call bpf_map_lookup_elem#1",
      state: undefined,
      source: "const entry = b.lookup(services, key);",
    },
    {
      slot: 6,
      instruction: "r0 = *(u64 *)(r0 +0)",
      state: "R0_w=map_value_or_null(id=1,off=0,ks=4,vs=8,imm=0) R10=fp0 fp-8=mmmm????",
      source: "entry.count",
    },
  ]);
  assert.equal(
    parseVerifierLog("; return 2; @ connect.ts:12\n0: (b7) r0 = 2                        ; R0_w=2\n").steps,
    [{ slot: 0, instruction: "r0 = 2", state: "R0_w=2", source: "return 2;" }],
  );
});

test("an empty log has an empty reason", () => {
  assert.equal(parseVerifierLog(""), { reason: "", slot: undefined, steps: [], suggestion: undefined });
});

test("the error names the TypeScript line, even after a two-slot instruction", () => {
  const source = { file: "/src/connect4.ts", line: 12, column: 5 };
  const instructions = [
    { opcode: 0x18, dst: 1, src: 1, offset: 0, immediate: 0, immediateHigh: 0 },
    { opcode: 0xb7, dst: 0, src: 0, offset: 0, immediate: 2, source },
    { opcode: 0x95, dst: 0, src: 0, offset: 0, immediate: 0 },
  ];
  const error = new VerifierError(
    "connect4",
    22,
    "0: (18) r1 = 0x0\n2: (b7) r0 = 2\nR0 is odd\nprocessed 2 insns\n",
    instructions,
  );
  assert.is(error.slot, 2);
  assert.is(error.instructionIndex, 1);
  assert.equal(error.source, source);
  assert.match(
    error.message,
    "program connect4: BPF_PROG_LOAD failed with EINVAL: " +
      "the verifier refuses it at instruction 2 (/src/connect4.ts:12:5): R0 is odd",
  );
  assert.match(error.summary(), ">     2: r0 = 2");
  assert.is(
    new VerifierError("p", 22, "0: (95) exit\nsomething unheard of\n").hint,
    undefined,
    "no hint is better than a wrong one",
  );
});

test("common reasons have a hint", () => {
  const reasons: readonly (readonly [string, RegExp])[] = [
    ["R0 invalid mem access 'map_value_or_null'", /null/],
    ["invalid read from stack R2 off -8+0 size 8", /never written/],
    ["invalid bpf_context access off=60 size=8", /context/],
    ["unknown func bpf_sk_lookup_tcp#84", /helper/],
    ["program of this type cannot use helper bpf_xdp_adjust_head#44", /helper/],
    ["cannot call GPL-restricted function from non-GPL compatible program", /licence/],
    ["back-edge from insn 3 to 0", /loop/],
    ["The sequence of 8193 jumps is too complex.", /limit of steps/],
    ["BPF program is too large. Processed 1000001 insn", /limit of steps/],
    ["combined stack size of 2 calls is 544. Too large", /512 bytes/],
    ["invalid write to stack R10 off=-520 size=8", /512 bytes/],
    ["last insn is not an exit or jmp", /exit/],
    ["R1 type=scalar expected=map_ptr", /argument/],
    ["BPF_ATOMIC uses reserved fields", /instruction set/],
    ["invalid access to packet, off=0 size=4, R1(id=0,off=0,r=0)", /data_end/],
  ];
  for (const [reason, hint] of reasons) assert.match(verifierHint(reason) ?? "", hint, reason);
});

test.run();
