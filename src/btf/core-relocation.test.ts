import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Btf, BtfBuilder, BtfError, CoreKind, CoreRelocations, type BtfMember } from "./index.ts";

const test = suite("btf: CO-RE");

const member = (name: string, type: number, offset: number, bits = 0): BtfMember => ({ name, type, offset, bits });

/** Two versions of the same structs: the program's and the kernel's. */
function sides() {
  const local = new BtfBuilder();
  const target = new BtfBuilder();
  const each = [local, target].map((b) => ({
    int: b.add({ kind: "int", name: "int", size: 4, bits: 32, encoding: "signed" }),
    u32: b.add({ kind: "int", name: "unsigned int", size: 4, bits: 32, encoding: "unsigned" }),
    u64: b.add({ kind: "int", name: "unsigned long", size: 8, bits: 64, encoding: "unsigned" }),
  })) as [Record<"int" | "u32" | "u64", number>, Record<"int" | "u32" | "u64", number>];
  return { local, target, l: each[0], t: each[1] };
}

const ask = (local: BtfBuilder, target: BtfBuilder, type: number, access: string, kind: number) =>
  new CoreRelocations(new Btf(local.encode()), () => new Btf(target.encode())).resolve({
    offset: 0,
    type,
    access,
    kind,
  });

const field = () => {
  const { local, target, l, t } = sides();
  const inner = local.add({
    kind: "struct",
    name: "inner",
    size: 8,
    members: [member("a", l.int, 0), member("b", l.u32, 32)],
  });
  const row = local.add({ kind: "array", element: inner, index: l.int, length: 4 });
  const outer = local.add({
    kind: "struct",
    name: "outer___v2",
    size: 48,
    members: [
      member("rows", row, 0),
      member("count", l.u32, 256),
      member("flag", l.u32, 288, 3),
      member("pointer", local.add({ kind: "ptr", type: inner }), 320),
    ],
  });
  const targetInner = target.add({
    kind: "struct",
    name: "inner",
    size: 16,
    members: [member("b", t.u32, 32), member("new", t.u64, 64), member("a", t.int, 0)],
  });
  const targetRow = target.add({ kind: "array", element: targetInner, index: t.int, length: 2 });
  const hidden = target.add({ kind: "union", name: "", size: 8, members: [member("count", t.u64, 0)] });
  const targetOuter = target.add({
    kind: "struct",
    name: "outer",
    size: 56,
    members: [
      member("", hidden, 0),
      member("flag", t.u32, 69, 5),
      member("rows", targetRow, 128),
      member("pointer", t.u64, 384),
    ],
  });
  return { local, target, outer, targetOuter, inner };
};

const { BYTE_OFFSET, BYTE_SIZE, EXISTS, SIGNED, LSHIFT, RSHIFT } = {
  BYTE_OFFSET: CoreKind.FIELD_BYTE_OFFSET,
  BYTE_SIZE: CoreKind.FIELD_BYTE_SIZE,
  EXISTS: CoreKind.FIELD_EXISTS,
  SIGNED: CoreKind.FIELD_SIGNED,
  LSHIFT: CoreKind.FIELD_LSHIFT_U64,
  RSHIFT: CoreKind.FIELD_RSHIFT_U64,
};

const fields: readonly [
  title: string,
  access: string,
  kind: number,
  local: bigint | undefined,
  target: bigint | undefined,
][] = [
  ["a member of an array's element: other element size, other place", "0:0:1:0", BYTE_OFFSET, 8n, 32n],
  ["the second member, moved to the front", "0:0:1:1", BYTE_OFFSET, 12n, 36n],
  ["an element beyond the target's array", "0:0:3:0", BYTE_OFFSET, 24n, undefined],
  ["its existence", "0:0:3:0", EXISTS, 1n, 0n],
  ["a member that moved into an anonymous union", "0:1", BYTE_OFFSET, 32n, 0n],
  ["its size", "0:1", BYTE_SIZE, 4n, 8n],
  ["the next struct of an array of them", "1:1", BYTE_OFFSET, 80n, 56n],
  ["a bit field: bytes to load", "0:2", BYTE_OFFSET, undefined, 8n],
  ["their number", "0:2", BYTE_SIZE, undefined, 4n],
  ["left shift", "0:2", LSHIFT, undefined, 54n],
  ["right shift", "0:2", RSHIFT, 61n, 59n],
  ["sign of an unsigned member", "0:1", SIGNED, 0n, 0n],
  ["sign of a signed one", "0:0:0:0", SIGNED, 1n, 1n],
  ["a pointer that became a number counts as another member", "0:3", EXISTS, 1n, 0n],
];

for (const [title, access, kind, wantLocal, wantTarget] of fields) {
  test(title, () => {
    const { local, target, outer } = field();
    const result = ask(local, target, outer, access, kind);
    assert.is(result.local, wantLocal);
    assert.is(result.target, wantTarget);
  });
}

test("a member that grew is loaded with its new size", () => {
  const { local, target, outer } = field();
  assert.equal(ask(local, target, outer, "0:1", BYTE_OFFSET).resize, { local: 4, target: 8, safe: true });
  assert.equal(ask(local, target, outer, "0:0:0:0", BYTE_OFFSET).resize, { local: 4, target: 4, safe: true });
});

test("an access has a text in C notation", () => {
  const { local, target, outer } = field();
  assert.is(ask(local, target, outer, "0:0:1:0", BYTE_OFFSET).text, "struct outer___v2.rows[1].a");
});

test("types: existence, size and id", () => {
  const { local, target, outer, targetOuter } = field();
  const lost = local.add({ kind: "struct", name: "lost", size: 4, members: [] });
  assert.is(ask(local, target, outer, "0", CoreKind.TYPE_EXISTS).target, 1n);
  assert.is(ask(local, target, outer, "0", CoreKind.TYPE_SIZE).target, 56n);
  assert.is(ask(local, target, outer, "0", CoreKind.TYPE_ID_TARGET).target, BigInt(targetOuter));
  assert.is(ask(local, target, outer, "0", CoreKind.TYPE_ID_LOCAL).target, BigInt(outer));
  assert.is(ask(local, target, lost, "0", CoreKind.TYPE_EXISTS).target, 0n);
  assert.is(ask(local, target, lost, "0", CoreKind.TYPE_SIZE).target, 0n, "as bpf_core_read.h documents");
  assert.is(ask(local, target, lost, "0", CoreKind.TYPE_ID_TARGET).target, 0n);
  assert.is(ask(local, target, lost, "0", CoreKind.TYPE_MATCHES).target, 0n);
});

test("types match if all members exist with matching types", () => {
  const { local, target, outer, inner } = field();
  assert.is(ask(local, target, inner, "0", CoreKind.TYPE_MATCHES).target, 1n);
  assert.is(
    ask(local, target, outer, "0", CoreKind.TYPE_MATCHES).target,
    0n,
    "an array has another length, a pointer became a number",
  );
});

test("enumerators are found by name, with any value, in 32 and 64 bits", () => {
  const { local, target } = sides();
  const id = local.add({
    kind: "enum",
    name: "state",
    size: 4,
    signed: false,
    values: [
      { name: "OPEN", value: 1n },
      { name: "SHUT___old", value: 2n },
      { name: "GONE", value: 3n },
    ],
  });
  target.add({
    kind: "enum64",
    name: "state",
    size: 8,
    signed: false,
    values: [
      { name: "SHUT", value: 1n << 40n },
      { name: "OPEN", value: 7n },
    ],
  });
  const value = (access: string, kind: number) => ask(local, target, id, access, kind).target;
  assert.equal(
    ["0", "1", "2"].map((access) => value(access, CoreKind.ENUMVAL_VALUE)),
    [7n, 1n << 40n, undefined],
  );
  assert.equal(
    ["0", "1", "2"].map((access) => value(access, CoreKind.ENUMVAL_EXISTS)),
    [1n, 1n, 0n],
  );
});

test("all accesses to one local type are answered from the same target type", () => {
  const { local, target, l, t } = sides();
  const fields = ["both", "first", "second"].map((name, i) => member(name, l.u32, 32 * i));
  const id = local.add({ kind: "struct", name: "split___mine", size: 12, members: fields });
  const other = local.add({ kind: "struct", name: "split", size: 12, members: fields });
  target.add({
    kind: "struct",
    name: "split",
    size: 8,
    members: [member("both", t.u32, 0), member("first", t.u32, 32)],
  });
  target.add({
    kind: "struct",
    name: "split___2",
    size: 16,
    members: [member("second", t.u32, 64), member("both", t.u32, 96)],
  });
  const relocations = new CoreRelocations(new Btf(local.encode()), () => new Btf(target.encode()));
  const offset = (type: number, access: string) =>
    relocations.resolve({ offset: 0, type, access, kind: BYTE_OFFSET }).target;
  const exists = (type: number, access: string) =>
    relocations.resolve({ offset: 0, type, access, kind: EXISTS }).target;
  assert.is(offset(id, "0:1"), 4n, "only the first of the two has it");
  assert.is(offset(id, "0:2"), undefined, "only the second has it, and the first was chosen");
  assert.is(exists(id, "0:2"), 0n);
  assert.ok(relocations.resolve({ offset: 0, type: id, access: "0:2", kind: BYTE_OFFSET }).narrowed);
  assert.is(offset(id, "0:0"), 0n, "both have it, at different places");
  assert.is(offset(other, "0:2"), 8n, "another flavour chooses for itself");
  assert.is(offset(other, "0:0"), 12n);
});

test("an access to a typedef of a nameless struct is found by the typedef's name", () => {
  const { local, target, l, t } = sides();
  const nameless = (b: BtfBuilder, members: BtfMember[]) =>
    b.add({
      kind: "typedef",
      name: "pair_t",
      type: b.add({ kind: "struct", name: "", size: 4 * members.length, members }),
    });
  const id = nameless(local, [member("a", l.int, 0), member("b", l.int, 32)]);
  nameless(target, [member("new", t.int, 0), member("a", t.int, 32), member("b", t.int, 64)]);
  const result = ask(local, target, id, "0:1", BYTE_OFFSET);
  assert.equal([result.local, result.target, result.text], [4n, 8n, "pair_t.b"]);
});

test("two types of one name may differ, but not in the answer", () => {
  const { local, target, l, t } = sides();
  const id = local.add({
    kind: "struct",
    name: "twin",
    size: 8,
    members: [member("a", l.u32, 0), member("b", l.u32, 32)],
  });
  target.add({ kind: "struct", name: "twin", size: 8, members: [member("a", t.u32, 0), member("b", t.u32, 32)] });
  target.add({ kind: "struct", name: "twin", size: 12, members: [member("a", t.u32, 0), member("b", t.u32, 64)] });
  assert.is(ask(local, target, id, "0:0", BYTE_OFFSET).target, 0n);
  assert.throws(
    () => ask(local, target, id, "0:1", BYTE_OFFSET),
    (error: unknown) => error instanceof BtfError && /struct twin\.b is ambiguous/.test(error.message),
  );
});

const faults: readonly [access: string, kind: number, message: RegExp][] = [
  ["", BYTE_OFFSET, /not a list of indices/],
  ["0:-1", BYTE_OFFSET, /not a list of indices/],
  ["0:9", BYTE_OFFSET, /member 9 of struct outer___v2, which has 4/],
  ["0:1:0", BYTE_OFFSET, /goes into struct outer___v2\.count, a int/],
  ["0", 13, /kind 13 is not known/],
  ["0", CoreKind.ENUMVAL_VALUE, /enumerator 0 of struct outer___v2, which is absent/],
];

for (const [access, kind, message] of faults) {
  test(`refused: access ${JSON.stringify(access)} of kind ${kind}`, () => {
    const { local, target, outer } = field();
    assert.throws(
      () => ask(local, target, outer, access, kind),
      (error: unknown) => error instanceof BtfError && message.test(error.message),
    );
  });
}

test.run();
