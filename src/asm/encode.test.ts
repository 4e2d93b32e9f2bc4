import { suite } from "uvu";
import * as assert from "uvu/assert";
import fc from "fast-check";
import { add, exit, jump, lddw, loadFunction, mov } from "./operations/index.ts";
import { decode } from "./decode.ts";
import { encode, slotCount } from "./encode.ts";
import { AsmError } from "./error.ts";
import { opcodes } from "./fields.ts";
import { randomInstructions } from "./testing/random-instruction.ts";
import type { Instruction } from "./instruction.ts";
import { makeInstruction } from "./make.ts";
import { r0, r1 } from "./register.ts";

const test = suite("asm/encode, asm/decode");

const refused = (what: () => unknown, why: RegExp) =>
  assert.throws(what, (error: unknown) => error instanceof AsmError && why.test(error.message), String(why));
const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replace(/\s/g, ""), "hex"));

test("slots are counted: lddw takes two", () => {
  assert.is(slotCount([mov(r0, 0), lddw(r1, 5), exit()]), 4);
  assert.is(encode([mov(r0, 0), lddw(r1, 5), exit()]).length, 32);
});

test("decoding gives the same instructions", () => {
  const instructions = randomInstructions(3_000, 1);
  assert.equal(decode(encode(instructions)), instructions);
});

test("bytes at an offset in a larger buffer are decoded", () => {
  const whole = new Uint8Array(24);
  whole.set(encode([exit()]), 3);
  assert.equal(decode(whole.subarray(3, 11)), [exit()]);
});

test("decoding refuses bytes, or encoding gives them back", () => {
  let accepted = 0;
  const slot = fc.tuple(
    fc.constantFrom(...opcodes),
    fc.integer({ min: 0, max: 0xbb }),
    fc.constantFrom(0, 0, 1, 8, 0xffff),
    fc.constantFrom(0, 0, 16, 1, 0xffff_ffff),
  );
  fc.assert(
    fc.property(fc.array(slot, { maxLength: 2 }), (slots) => {
      const view = new DataView(new ArrayBuffer(slots.length * 8));
      slots.forEach(([opcode, registers, offset, immediate], i) => {
        view.setUint8(i * 8, opcode);
        view.setUint8(i * 8 + 1, registers);
        view.setUint16(i * 8 + 2, offset, true);
        view.setUint32(i * 8 + 4, immediate, true);
      });
      const input = new Uint8Array(view.buffer);
      let decoded: Instruction[];
      try {
        decoded = decode(input);
      } catch (error) {
        assert.instance(error, AsmError);
        return;
      }
      accepted++;
      assert.equal(encode(decoded), input);
    }),
    { numRuns: 3_000, seed: 5 },
  );
  assert.ok(accepted > 200, `only ${accepted} of 3,000 were instructions`);
});

test("the error for invalid bytes has the slot and the reason", () => {
  const cases: readonly [hex: string, why: RegExp][] = [
    ["95000000000000", /^cannot decode 7 bytes: .* slots of 8 bytes/],
    ["9500000000000000 ff00000000000000", /slot 1: no instruction has opcode 0xff/],
    ["0000000000000000", /slot 0: no instruction has opcode 0x00/],
    ["b70b000000000000", /no destination register 11/],
    ["bfb1000000000000", /no source register 11/],
    ["b710000000000000", /source register field of opcode 0xb7 is reserved and must be 0, not 1/],
    ["0700010000000000", /offset field of opcode 0x07 is reserved and must be 0, not 1/],
    ["0f00000001000000", /immediate field of opcode 0x0f is reserved/],
    ["9501000000000000", /destination register field of opcode 0x95/],
    ["9500000001000000", /immediate field of opcode 0x95/],
    ["3700020001000000", /division or modulo .* not 2/],
    ["bf21070000000000", /64-bit move .* not 7/],
    ["bc21200000000000", /32-bit move .* 8 or 16 .* not 32/],
    ["bc21010000000100", /immediate field of opcode 0xbc is reserved/],
    ["bc21010000000000", /32-bit move/],
    ["bfa1000000000100", /immediate field of opcode 0xbf is reserved/],
    ["dc01000011000000", /16, 32 or 64 bits, not 17/],
    ["df01000010000000", /no instruction has opcode 0xdf/],
    ["8f01000000000000", /no instruction has opcode 0x8f/],
    ["8530000001000000", /source field of a call .* not 3/],
    ["8500010001000000", /offset field of opcode 0x85/],
    ["8600000001000000", /no instruction has opcode 0x86/],
    ["0500000001000000", /immediate field of opcode 0x05/],
    ["0600010001000000", /offset field of opcode 0x06/],
    ["e510030000000000", /may_goto, not 1/],
    ["6101000001000000", /immediate field of opcode 0x61/],
    ["9901000000000000", /no instruction has opcode 0x99/],
    ["6211000001000000", /source register field of opcode 0x62/],
    ["db21000002000000", /no atomic operation .* 0x02/],
    ["d321000000000000", /exists for 4 and 8 bytes only/],
    ["d321000000010000 c000000000000000", /slot 1: no instruction has opcode 0xc0/],
    ["3001000004000000", /destination register field of opcode 0x30/],
    ["3800000004000000", /no instruction has opcode 0x38/],
    ["1801000000000000", /slot 0: .* second slot is missing/],
    ["1801000000000000 9500000000000000", /slot 0: in the second slot/],
    ["1871000000000000 0000000000000000", /0 to 6, not 7/],
    ["1811000005000000 0000000001000000", /second immediate .* source field 1 is reserved/],
    ["1801010005000000 0000000001000000", /offset field of opcode 0x18/],
  ];
  for (const [hex, why] of cases) refused(() => decode(bytes(hex)), why);
});

test("encoding refuses invalid fields too", () => {
  refused(
    () => encode([exit(), makeInstruction(0x07, 11, 0, 0, 0)]),
    /cannot encode slot 1: there is no destination register 11/,
  );
  refused(
    () => encode([makeInstruction(0x07, 16, 0, 0, 0)]),
    /destination register is a whole number from 0 to 10, not 16/,
  );
  refused(
    () => encode([makeInstruction(0x07, 1, 0, 0, 2 ** 31)]),
    /immediate is a whole number from -2147483648 to 2147483647/,
  );
  refused(() => encode([makeInstruction(0x07, 1, 0, 0, 0.5)]), /immediate is a whole number/);
  refused(
    () => encode([makeInstruction(0x05, 0, 0, 40_000, 0)]),
    /offset is a whole number from -32768 to 32767, not 40000/,
  );
  refused(() => encode([makeInstruction(256, 0, 0, 0, 0)]), /opcode is a whole number/);
  refused(() => encode([makeInstruction(0x18, 0, 0, 0, 0, 2 ** 32)]), /second immediate is a whole number/);
  refused(() => encode([makeInstruction(0x07, 0, 0, 0, 0, 1)]), /only lddw has a second immediate/);
  refused(() => encode([{ ...add(r0, 1), offset: 1 }]), /offset field of opcode 0x07 is reserved/);
});

test("the error for an unresolved label names it", () => {
  refused(() => encode([jump("out")]), /slot 0: label "out" is not resolved/);
  refused(() => encode([loadFunction(r1, "callback")]), /label "callback" is not resolved/);
});

test.run();
