/** The amount to read: each program needs few files, and none is hidden behind an index. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { cgroup, PROCEED } from "tsbpf";
import { ipv4Address, type Features } from "./call.ts";
import { DatagramCall } from "./forward.ts";

const test = suite("programs: what a reader needs");

/** The files of this folder that `file` imports, types included, and those that they import; with `file` itself. */
function closure(file: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  const text = readFileSync(new URL(file, import.meta.url), "utf8");
  for (const [, imported] of text.matchAll(/\bfrom "\.\/([^"]+)"/g)) closure(imported!, seen);
  return seen;
}

for (const [file, most] of [
  ["sendmsg.ts", 8],
  ["connect.ts", 9],
  ["recvmsg.ts", 7],
  ["getpeername.ts", 7],
  ["sock-release.ts", 5],
] as const) {
  test(`${file} needs at most ${most} files`, () => {
    const files = [...closure(file)].sort();
    assert.ok(files.length <= most, files.join(", "));
  });
}

test("a call offers its steps to hooks with the helpers for them alone", () => {
  const program = (features: Features) =>
    cgroup.recvmsg4("recvmsg4", (b, ctx) => {
      // @ts-expect-error bpf_set_retval, with which a call is refused, is not for recvmsg4
      void new DatagramCall(b, ipv4Address(ctx), features);
      return PROCEED;
    });
  assert.type(program, "function");
});

test.run();
