/** The log of the running kernel's verifier parses back to the same bytes. */
import { release as osRelease } from "node:os";
import * as assert from "uvu/assert";
import { linux, VerifierError } from "../../kernel/index.ts";
import { kernelSuite } from "../../testing/index.ts";
import { ProgramType } from "../../types/index.ts";
import { assemble } from "../assemble.ts";
import {
  add,
  and,
  arsh,
  atomicAdd,
  atomicAnd,
  atomicOr,
  atomicXor,
  be16,
  be32,
  bswap32,
  bswap64,
  call,
  callFunction,
  compareExchange,
  div,
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
  le64,
  load,
  loadAbsolute,
  loadAcquire,
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
  rsh,
  sdiv,
  smod,
  store,
  storeRelease,
  sub,
  xor,
} from "../operations/index.ts";
import { encode } from "../encode.ts";
import type { Instruction, Item } from "../instruction.ts";
import { r0, r1, r10, r2, r3, r6, r7, r8, w1, w2, w7, w8 } from "../register.ts";
import { parseAssembly } from "./parse.ts";

const test = kernelSuite("asm/text: the verifier's log");

/** Sets r1, r2, r3 and 16 bytes of stack, so that any operation on them is allowed. */
const start: Item[] = [
  mov(r6, r1),
  call("bpf_get_prandom_u32"),
  mov(r7, r0),
  mov(r1, r0),
  mov(r2, r0),
  mov(r3, r0),
  store("u64", r10, -8, 5),
  store("u64", r10, -16, r7),
];

/** Every comparison, each of numbers unknown to the verifier: it does not log unreachable instructions. */
function comparisons(): Item[] {
  const builders = [jeq, jne, jgt, jge, jlt, jle, jsgt, jsge, jslt, jsle, jset];
  return builders.flatMap((compare, i) =>
    [compare(r7, r8, `${i}`), compare(r7, -3, `${i}`), compare(w7, w8, `${i}`), compare(w7, 0x50, `${i}`)].flatMap(
      (instruction, j): Item[] => [
        call("bpf_get_prandom_u32"),
        mov(r7, r0),
        call("bpf_get_prandom_u32"),
        mov(r8, r0),
        { ...instruction, reference: { kind: "label", name: `${i}.${j}` } },
        mov(r0, 0),
        label(`${i}.${j}`),
      ],
    ),
  );
}

/** Forms by the kernel release that added them. */
const groups: readonly [release: string, items: Item[]][] = [
  [
    "5.10",
    [
      add(r1, 22),
      add(r1, r2),
      add(w1, -22),
      sub(r1, r2),
      mul(w1, w2),
      div(r1, 3),
      mod(w1, w2),
      and(r1, 0xff),
      or(w1, 0xf000_0000),
      xor(r1, r2),
      lsh(r1, 3),
      rsh(w1, 3),
      arsh(r1, r2),
      arsh(w1, 3),
      neg(r1),
      neg(w1),
      mov(w1, w2),
      mov(w1, 0xffff_ffff),
      be16(r1),
      be32(r1),
      le16(r1),
      le64(r1),
      jump("after"),
      label("after"),
      lddw(r8, 0x1122_3344_5566_7788n),
      lddw(r8, -1),
      load("u8", r1, r10, -8),
      load("u16", r1, r10, -8),
      load("u32", r1, r10, -8),
      load("u64", r1, r10, -8),
      store("u8", r10, -8, -1),
      store("u16", r10, -8, 300),
      store("u32", r10, -8, 0xffff_fffe),
      store("u64", r10, -8, -2),
      store("u32", r10, -4, r2),
      mov(r8, r10),
      add(r8, -8),
      atomicAdd("u64", r8, 0, r2),
      atomicAdd("u32", r10, -8, r2),
      loadAbsolute("u16", 12),
      mov(r7, 1),
      loadIndirect("u8", r7, 4),
      call("bpf_get_prandom_u32"),
      mov(r1, r0),
      mov(r2, r0),
      mov(r3, r0),
      ...comparisons(),
      mov(r1, 1),
      callFunction("sub"),
    ],
  ],
  [
    "5.12",
    [
      atomicAdd("u64", r10, -8, r2, { fetch: true }),
      atomicOr("u32", r10, -8, r2),
      atomicAnd("u64", r10, -8, r2, { fetch: true }),
      atomicXor("u64", r10, -8, r2),
      exchange("u64", r10, -8, r2),
      exchange("u32", r10, -8, r2),
      compareExchange("u64", r10, -8, r2),
      compareExchange("u32", r10, -8, r2),
      atomicXor("u32", r10, -8, r2, { fetch: true }),
    ],
  ],
  [
    "6.6",
    [
      sdiv(r1, 3),
      smod(w1, w2),
      sdiv(r1, r2),
      movsx8(r1, r2),
      movsx16(w1, w2),
      movsx32(r1, r2),
      bswap32(r1),
      bswap64(r1),
      load("i8", r1, r10, -8),
      load("i16", r1, r10, -8),
      load("i32", r1, r10, -8),
      jeq(r7, 5, "d"),
      gotol("c"),
      label("d"),
      mov(r1, 5),
      label("c"),
    ],
  ],
  ["6.9", [mov(r7, 0), label("loop"), mayGoto("end"), add(w7, 1), jump("loop"), label("end")]],
  [
    "6.15",
    [
      loadAcquire("u8", r1, r10, -8),
      loadAcquire("u16", r1, r10, -8),
      loadAcquire("u32", r1, r10, -8),
      loadAcquire("u64", r1, r10, -8),
      storeRelease("u8", r10, -8, r2),
      storeRelease("u16", r10, -8, r2),
      storeRelease("u32", r10, -8, r2),
      storeRelease("u64", r10, -8, r2),
    ],
  ],
];

/**
 * Each instruction in the log, at its first occurrence, in order of place: the verifier follows one path after another.
 */
function shown(log: string): string {
  const lines = new Map<number, string>();
  for (const line of log.split("\n")) {
    const slot = /^(\d+): \([0-9a-f]{2}\) /.exec(line)?.[1];
    if (slot !== undefined && !lines.has(Number(slot))) lines.set(Number(slot), line);
  }
  return [...lines]
    .sort(([a], [b]) => a - b)
    .map(([, line]) => line)
    .join("\n");
}

for (const [release, items] of groups) {
  test(`forms of Linux ${release}`, () => {
    const program: Instruction[] = assemble([
      ...start,
      ...items,
      mov(r0, 0),
      exit(),
      ...(release === "5.10" ? [label("sub"), mov(r0, r1), exit()] : []),
    ]);
    const code = encode(program);
    let log: string;
    try {
      const loaded = linux.loadProgram({
        name: "asm_text",
        type: ProgramType.SOCKET_FILTER,
        code,
        license: "Dual MIT/GPL",
        logLevel: 2,
      });
      loaded.fd.close();
      log = loaded.log;
    } catch (error) {
      if (
        error instanceof VerifierError &&
        /unknown opcode|reserved fields|BPF_STX uses|invalid|unrecognized/.test(error.message) &&
        kernelIsOlderThan(release)
      ) {
        process.stderr.write(`SKIPPED: this kernel is older than ${release}\n`);
        return;
      }
      throw error;
    }
    assert.is(slots(encode(assemble(parseAssembly(shown(log))))), slots(code));
  });
}

const slots = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex").replace(/.{16}/g, "$&\n");

function kernelIsOlderThan(release: string): boolean {
  const [major = 0, minor = 0] = release.split(".").map(Number);
  const [ours = 0, oursMinor = 0] = osRelease().split(".").map(Number);
  return ours < major || (ours === major && oursMinor < minor);
}

test.run();
