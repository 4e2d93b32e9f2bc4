import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  call,
  callFunction,
  exit,
  label,
  lddw,
  loadFunction,
  loadMap,
  loadMapValue,
  mov,
  program,
  r0,
  r1,
  r2,
  type Item,
} from "../asm/index.ts";
import { Btf, BtfBuilder } from "../btf/index.ts";
import { damaged, hasTool, truncated } from "../testing/index.ts";
import { array, AttachType, hash, ProgramType, struct, u32, u64 } from "../types/index.ts";
import { ElfError, readObject, writeObject } from "./index.ts";
import { CLANG, compile } from "./testing/compile.ts";

const test = suite("elf: malformed");

// The traces of many thousand errors that are only counted take most of the time.
test.before(() => void (Error.stackTraceLimit = 0));
test.after(() => void (Error.stackTraceLimit = 10));

/** One file with all that a file can have. */
function ownFile(): Uint8Array {
  const map = hash("map", { key: struct("key", { a: u32, b: u64 }), value: u64, maxEntries: 8 });
  const settings = array("settings", { value: struct("settings", { limit: u32, hits: u32 }), maxEntries: 1 });
  const items: Item[] = [
    { ...loadMap(r1, map), source: { file: "/x.ts", line: 1, column: 1, text: "x" } },
    loadMapValue(r2, settings, 4),
    callFunction("sub"),
    loadFunction(r1, "sub"),
    lddw(r2, 1n << 40n),
    call("bpf_ktime_get_ns"),
    mov(r0, 1),
    exit(),
    label("sub"),
    mov(r0, 1),
    exit(),
  ];
  return writeObject([
    program({
      name: "connect4",
      type: ProgramType.CGROUP_SOCK_ADDR,
      expectedAttachType: AttachType.CGROUP_INET4_CONNECT,
      section: "cgroup/connect4",
      items,
      maps: [map, settings],
    }),
  ]);
}

const target = new Btf(new BtfBuilder().encode());

/** Whether the file is accepted. Any error but an ElfError fails the test. */
function taken(bytes: Uint8Array): boolean {
  let object;
  try {
    object = readObject(bytes, { target });
  } catch (error) {
    if (error instanceof ElfError) return false;
    throw error;
  }
  // A schema is made without looking at every byte of its value; it has to answer all the same.
  for (const { key, value } of object.maps)
    assert.ok(String(key) !== "" && String(value) !== "" && value.size < 2 ** 32);
  return true;
}

const files: readonly (readonly [title: string, make: () => Uint8Array, cases: number])[] = [
  ["our own", ownFile, 2000],
  ...(hasTool(CLANG)
    ? ["maps", "globals", "subprograms", "core"].map((name) => [`clang's ${name}`, () => compile(name), 400] as const)
    : []),
];
if (files.length === 1)
  process.stderr.write(`SKIPPED, files made by clang in "elf: malformed": ${CLANG} is not installed\n`);

for (const [title, make, cases] of files) {
  const bytes = make();
  test(`${title} file, intact, is read`, () => assert.ok(taken(bytes)));

  test(`${title} file, cut off at every byte, is refused`, () => {
    for (const cut of truncated(bytes)) assert.not(taken(cut), `cut to ${cut.length} bytes`);
  });

  test(`${title} file, with random bytes changed, is read or throws an ElfError`, () => {
    let accepted = 0;
    const before = process.memoryUsage.rss();
    for (const changed of damaged(bytes, cases)) if (taken(changed)) accepted++;
    assert.ok(accepted > 0 && accepted < cases, `${accepted} of ${cases} are taken`);
    assert.ok(process.memoryUsage.rss() - before < 300e6, "memory stays in bounds");
  });

  test(`${title} file, with its headers changed, is read or throws an ElfError`, () => {
    const headers = new DataView(bytes.buffer, bytes.byteOffset).getUint32(40, true);
    const tail = bytes.subarray(headers);
    let refused = 0;
    for (const changed of damaged(tail, cases)) {
      const file = new Uint8Array(bytes.length);
      file.set(bytes);
      file.set(changed, headers);
      if (!taken(file)) refused++;
    }
    assert.ok(refused > cases / 20, `${refused} of ${cases} are refused`);
  });
}

const header = (change: (view: DataView) => void) => {
  const bytes = ownFile();
  change(new DataView(bytes.buffer));
  return bytes;
};

const faults: readonly [title: string, bytes: () => Uint8Array, message: RegExp][] = [
  ["an empty file", () => new Uint8Array(0), /not an ELF file/],
  ["a text", () => Buffer.from("#!/bin/sh\n".repeat(20)), /not an ELF file/],
  ["32 bits", () => header((view) => view.setUint8(4, 1)), /not a 64-bit little-endian/],
  ["big-endian", () => header((view) => view.setUint8(5, 2)), /not a 64-bit little-endian/],
  ["another machine", () => header((view) => view.setUint16(18, 62, true)), /for machine 62, not for BPF/],
  ["an executable", () => header((view) => view.setUint16(16, 2, true)), /of type 2, not relocatable/],
  ["section headers outside", () => header((view) => view.setBigUint64(40, 1n << 60n, true)), /is cut off/],
];

for (const [title, bytes, message] of faults) {
  test(`refused: ${title}`, () => {
    assert.throws(
      () => readObject(bytes()),
      (error: unknown) => error instanceof ElfError && message.test(error.message),
    );
  });
}

test.run();
