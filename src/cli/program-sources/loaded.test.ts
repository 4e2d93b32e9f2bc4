import { suite } from "uvu";
import * as assert from "uvu/assert";
import { listProgram } from "./listed-program.ts";
import { decodeKernelCode } from "./loaded.ts";

const names = {
  mapName: (id: number) => (id === 0xec ? "numbers" : undefined),
  symbolAt: (offset: number) =>
    new Map([
      [1000, "array_map_update_elem"],
      [2000, "bpf_get_prandom_u32"],
    ]).get(offset),
};
const list = (hex: string) => {
  const { instructions, notes } = decodeKernelCode(Uint8Array.from(Buffer.from(hex.replace(/\s/g, ""), "hex")), names);
  return listProgram({ instructions, notes, labels: new Map() });
};

const test = suite("cli: a program as the kernel reports it");

test("decodes the kernel's own numbers", () => {
  assert.is(
    list(`
    18110000ec000000 0000000000000000  18210000ec000000 0000000008000000  18110000ed000000 0000000000000000
    1842000005000000 0000000001000000  85000000e8030000  85000000d0070000  85000000b80b0000  8510010003000000
    9500000000000000  9500000000000000`),
    `\
  r1 = map[numbers] ll
  r1 = map[numbers][0]+8 ll
  r1 = map[id:237] ll
  r2 = subprog[L1] ll
  call kernel-function array_map_update_elem
  call bpf_get_prandom_u32#7
  call unknown#3000                             ; the kernel does not name the callee
  call L2
L1:
  exit
L2:
  exit
`,
  );
});

test("an instruction internal to the kernel is shown with its bytes", () => {
  assert.is(
    list("bf00ffff00000000 9500000000000000"),
    "  r0 = r0                                       ; internal to the kernel: bf00ffff00000000\n  exit\n",
  );
});

test.run();
