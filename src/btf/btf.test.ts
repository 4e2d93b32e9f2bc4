import { suite } from "uvu";
import * as assert from "uvu/assert";
import { everyKind, everyKindBuilder } from "./testing/every-kind.ts";
import { allBtfFeatures, Btf, BtfBuilder, BtfError, type BtfFeatures, type BtfType } from "./index.ts";

const test = suite("btf: writing and reading");

test("every kind comes back as it was written", () => {
  const btf = new Btf(everyKindBuilder().encode());
  assert.is(btf.typeCount, everyKind.length + 1);
  everyKind.forEach((type, i) => assert.equal(btf.type(i + 1), type, `type ${i + 1}`));
  assert.equal(btf.type(0), { kind: "void" });
});

test("equal types are added once", () => {
  const builder = everyKindBuilder();
  const before = builder.encode();
  everyKind.forEach((type, i) => assert.is(builder.add({ ...type } as BtfType), i + 1));
  assert.equal(builder.encode(), before);
});

test("types are found by name and kind", () => {
  const btf = new Btf(everyKindBuilder().encode());
  assert.is(btf.find("struct", "point"), 9);
  assert.is(btf.find("union", "point"), undefined);
  assert.is(btf.find("func", "connect4"), 20);
  assert.is(btf.find("struct", "poin"), undefined);
  assert.is(btf.find("struct", "points"), undefined);
  assert.is(btf.find("struct", ""), undefined);
  const builder = new BtfBuilder();
  const names = Array.from({ length: 500 }, (_, i) => `type_${i % 250}`);
  const int = builder.add({ kind: "int", name: "int", size: 4, bits: 32, encoding: "signed" });
  names.forEach((name, i) =>
    builder.add(i < 250 ? { kind: "typedef", name, type: int } : { kind: "struct", name, size: i, members: [] }),
  );
  const many = new Btf(builder.encode());
  for (let i = 0; i < 250; i++) assert.equal(many.named(`type_${i}`), [i + 2, i + 252]);
});

test("a reference to an id not added yet is refused", () => {
  assert.throws(
    () => new BtfBuilder().add({ kind: "ptr", type: 1 }),
    (error: unknown) => error instanceof BtfError && /refers to type 1/.test(error.message),
  );
});

test("a name with a zero byte does not cut the strings", () => {
  const builder = new BtfBuilder();
  const offset = builder.string("one\0two");
  const after = builder.string("three");
  const btf = new Btf(builder.encode());
  assert.is(btf.string(offset), "one two");
  assert.is(btf.string(after), "three");
});

/** Each kind as a kernel without any of the features gets it. */
const reduced: Readonly<Record<number, BtfType>> = {
  11: {
    kind: "enum",
    name: "colour",
    size: 4,
    signed: false,
    values: [
      { name: "RED", value: 0n },
      { name: "NONE", value: 0xffff_ffffn },
    ],
  },
  19: { kind: "int", name: "unknown", size: 4, bits: 32, encoding: "unsigned" },
  20: { kind: "typedef", name: "connect4", type: 19 },
  21: { kind: "typedef", name: "helper", type: 19 },
  22: { kind: "int", name: "unknown", size: 1, bits: 8, encoding: "unsigned" },
  23: { kind: "struct", name: "", size: 8, members: [] },
  24: { kind: "struct", name: "double", size: 8, members: [] },
  25: { kind: "int", name: "unknown", size: 1, bits: 8, encoding: "unsigned" },
  26: { kind: "int", name: "unknown", size: 1, bits: 8, encoding: "unsigned" },
  27: { kind: "const", type: 1 },
  29: { kind: "int", name: "wide", size: 8, bits: 64, encoding: "unsigned" },
  30: { kind: "int", name: "deep", size: 8, bits: 64, encoding: "signed" },
};

test("kinds that a kernel lacks are replaced, and ids stay", () => {
  const none = Object.fromEntries(
    Object.keys(allBtfFeatures).map((feature) => [feature, false]),
  ) as unknown as BtfFeatures;
  const btf = new Btf(everyKindBuilder().encode(none));
  everyKind.forEach((type, i) => assert.equal(btf.type(i + 1), reduced[i + 1] ?? type, `type ${i + 1}`));
});

test("without funcGlobal, global functions become static", () => {
  const btf = new Btf(everyKindBuilder().encode({ ...allBtfFeatures, funcGlobal: false }));
  assert.equal(btf.type(20), { kind: "func", name: "connect4", type: 19, linkage: "static" });
});

const header = (change: (view: DataView) => void): Uint8Array => {
  const blob = everyKindBuilder().encode();
  change(new DataView(blob.buffer));
  return blob;
};

const faults: readonly [title: string, blob: () => Uint8Array, message: RegExp][] = [
  ["nothing", () => new Uint8Array(0), /BTF of 0 bytes is too short/],
  ["another magic", () => header((view) => view.setUint16(0, 0x1234, true)), /begins with 0x1234/],
  ["big-endian", () => header((view) => view.setUint16(0, 0xeb9f, false)), /big-endian/],
  ["another version", () => header((view) => view.setUint8(2, 2)), /version 2/],
  [
    "types beyond the end",
    () => header((view) => view.setUint32(12, 1 << 20, true)),
    /type section of the BTF ends at byte 1048600/,
  ],
  ["strings beyond the end", () => header((view) => view.setUint32(20, 0xffff_ffff, true)), /string section/],
  ["an unknown kind", () => header((view) => view.setUint32(28, 31 << 24, true)), /type 1 has the unknown kind 31/],
  [
    "a struct that is cut off",
    () => header((view) => view.setUint32(28, (4 << 24) | 0xffff, true)),
    /type 1 is cut off/,
  ],
];

for (const [title, blob, message] of faults) {
  test(`refused: ${title}`, () => {
    assert.throws(
      () => new Btf(blob()),
      (error: unknown) => error instanceof BtfError && message.test(error.message),
    );
  });
}

test("the error for an unknown id names it", () => {
  const btf = new Btf(everyKindBuilder().encode());
  for (const id of [33, -1, 1.5, 1e9, NaN]) {
    for (const ask of [() => btf.type(id), () => btf.kind(id), () => btf.name(id)])
      assert.throws(ask, (error: unknown) => error instanceof BtfError);
  }
});

test.run();
