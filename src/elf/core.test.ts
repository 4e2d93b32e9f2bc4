import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  add,
  exit,
  formatInstruction,
  lddw,
  load,
  mov,
  r0,
  r1,
  r2,
  store,
  w0,
  type Instruction,
} from "../asm/index.ts";
import { Btf, BtfBuilder, BtfError, CoreKind, CoreRelocations } from "../btf/index.ts";
import { relocateCore } from "./core.ts";

const test = suite("elf: CO-RE in instructions");

/** `struct s { T field; }`, `field` at a byte offset. */
function structWith(size: number, encoding: "signed" | "unsigned", offset: number): { btf: Btf; id: number } {
  const builder = new BtfBuilder();
  const type = builder.add({ kind: "int", name: "number", size, bits: size * 8, encoding });
  const id = builder.add({
    kind: "struct",
    name: "s",
    size: offset + size,
    members: [{ name: "field", type, offset: offset * 8, bits: 0 }],
  });
  return { btf: new Btf(builder.encode()), id };
}

const nothing = new Btf(new BtfBuilder().encode());
const local = structWith(4, "unsigned", 8);

function relocate(
  instruction: Instruction,
  target: Btf,
  kind: number = CoreKind.FIELD_BYTE_OFFSET,
  from = local,
): readonly Instruction[] {
  const record = { offset: 0, type: from.id, access: "0:0", kind };
  return relocateCore(instruction, new CoreRelocations(from.btf, () => target).resolve(record));
}
const text = (...given: Parameters<typeof relocate>) =>
  relocate(...given).map((instruction) => formatInstruction(instruction));

const moved = structWith(4, "unsigned", 100).btf;

test("the value goes into the instruction's own field for it", () => {
  assert.equal(text(load("u32", r1, r2, 8), moved), ["r1 = *(u32 *)(r2 + 100)"]);
  assert.equal(text(store("u32", r1, 8, 5), moved), ["*(u32 *)(r1 + 100) = 5"]);
  assert.equal(text(store("u32", r1, 8, r2), moved), ["*(u32 *)(r1 + 100) = r2"]);
  assert.equal(text(add(r1, 8), moved), ["r1 += 100"]);
  assert.equal(text(mov(w0, 1), moved, CoreKind.FIELD_EXISTS), ["w0 = 1"]);
  assert.equal(text(mov(w0, 1), nothing, CoreKind.FIELD_EXISTS), ["w0 = 0"]);
  assert.equal(text(lddw(r0, 8), moved), ["r0 = 0x64 ll"]);
});

test("a field of another size is loaded with its size if the value stays the same", () => {
  assert.equal(text(load("u32", r1, r2, 8), structWith(8, "unsigned", 16).btf), ["r1 = *(u64 *)(r2 + 16)"]);
  assert.equal(text(load("u32", r1, r2, 8), structWith(2, "unsigned", 2).btf), ["r1 = *(u16 *)(r2 + 2)"]);
  assert.throws(
    () => relocate(load("u8", r1, r2, 8), structWith(8, "unsigned", 16).btf),
    (error: unknown) => error instanceof BtfError && /struct s\.field has 8 bytes in place of 4/.test(error.message),
    "a load of a part of it",
  );
  const signed = relocate(load("u32", r1, r2, 8), structWith(8, "signed", 16).btf)[0]!;
  assert.is(formatInstruction(signed), "call unknown#195896080", "refused only where the program gets there");
  assert.match(
    (signed.reference as { name: string }).name,
    /struct s\.field has 8 bytes in the target kernel, and has 4 bytes in/,
  );
});

test("an access to a missing field becomes a refused call of the same number of slots", () => {
  assert.equal(text(load("u32", r1, r2, 8), nothing), ["call unknown#195896080"]);
  assert.equal(text(lddw(r0, 8), nothing), ["call unknown#195896080", "call unknown#195896080"]);
  const source = { file: "/a.c", line: 3, column: 4, text: "  return s->field;" };
  assert.equal(relocate({ ...load("u32", r1, r2, 8), source }, nothing)[0]!.source, {
    ...source,
    text: "/* the target kernel has no struct s.field (CO-RE) */ return s->field;",
  });
});

test("an instruction with another value than the object's own types give is an error", () => {
  const wrong = /the instruction holds 12, and the object's types say 8/;
  for (const instruction of [load("u32", r1, r2, 12), store("u32", r1, 12, 5), add(r1, 12), lddw(r0, 12)])
    assert.throws(() => relocate(instruction, moved), wrong);
});

test("a value that does not fit the instruction is an error", () => {
  const far = structWith(4, "unsigned", 40_000).btf;
  assert.throws(
    () => relocate(load("u32", r1, r2, 8), far),
    /struct s\.field is at 40000, which the instruction cannot hold/,
  );
  assert.equal(text(add(r1, 8), far), ["r1 += 40000"]);
  assert.throws(() => relocate(exit(), moved), /opcode 0x95, which takes no such number/);
  assert.throws(() => relocate(add(r1, r2), moved), /opcode 0xf, which takes no such number/);
});

test.run();
