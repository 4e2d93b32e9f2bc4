import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  array,
  arrayOf,
  be16,
  be32,
  be64,
  hash,
  i16,
  i32,
  i64,
  i8,
  ipv4,
  ipv6,
  lpmTrie,
  ringbuf,
  skStorage,
  struct,
  u16,
  u32,
  u64,
  u8,
} from "../types/index.ts";
import { Btf, declaration, definition, mapBtf, schemaOf } from "./index.ts";

const test = suite("btf: maps' types");

const key = struct("lb4 key-1", { address: ipv4, port: be16, protocol: u8 });
const value = struct("everything", {
  a: u8,
  b: i8,
  c: u16,
  d: i16,
  e: u32,
  f: i32,
  g: u64,
  h: i64,
  i: be16,
  j: be32,
  k: be64,
  six: ipv6,
  rows: arrayOf(arrayOf(u16, 2), 3),
  key,
});

test("a struct becomes its C type, with valid names", () => {
  const { btf, keyTypeId, valueTypeId } = mapBtf(hash("m", { key, value, maxEntries: 1 }))!;
  const types = new Btf(btf);
  assert.is(
    definition(types, keyTypeId),
    "struct lb4_key_1 {\n\t__be32 address;\n\t__be16 port;\n\t__u8 protocol;\n};",
  );
  assert.is(
    definition(types, valueTypeId),
    [
      "struct everything {",
      "__u8 a;",
      "__s8 b;",
      "__u16 c;",
      "__s16 d;",
      "__u32 e;",
      "__s32 f;",
      "__u64 g;",
      "__s64 h;",
      "__be16 i;",
      "__be32 j;",
      "__be64 k;",
      "__be32 six[4];",
      "__u16 rows[3][2];",
      "struct lb4_key_1 key;",
    ].join("\n\t") + "\n};",
  );
  assert.is(definition(types, types.find("typedef", "__be16")!), "typedef __u16 __be16;");
  assert.is(definition(types, types.find("typedef", "__u64")!), "typedef unsigned long long __u64;");
});

test("a schema survives the way to BTF and back", () => {
  const { btf, valueTypeId } = mapBtf(hash("m", { key, value, maxEntries: 1 }))!;
  const back = schemaOf(new Btf(btf), valueTypeId) as typeof value;
  const shape = (schema: typeof value) =>
    schema.layout.map(({ name, schema, offset }) => [
      name,
      String(schema).replace("ipv6", "be32[4]").replaceAll(/[ -]/g, "_"),
      offset,
    ]);
  assert.equal(shape(back), shape(value));
  assert.is(back.size, value.size);
  assert.is(back.align, value.align);
});

test("scalars name themselves", () => {
  const { btf, keyTypeId, valueTypeId } = mapBtf(array("m", { value: be64, maxEntries: 1 }))!;
  assert.is(declaration(new Btf(btf), keyTypeId), "__u32");
  assert.is(declaration(new Btf(btf), valueTypeId), "__be64");
});

test("a map type that refuses types gets none", () => {
  assert.is(mapBtf(ringbuf("m", { value, maxEntries: 4096 })), undefined);
  assert.is.not(mapBtf(skStorage("m", { value })), undefined);
  assert.is.not(
    mapBtf(lpmTrie("m", { key: struct("k", { prefix: u32, address: ipv4 }), value, maxEntries: 1 })),
    undefined,
  );
});

test.run();
