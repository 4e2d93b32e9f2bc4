import { isIPv4 } from "node:net";
import { integer, string, oneof, array as list, assert as check, property } from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  be16,
  be32,
  be64,
  decodeValue,
  encodeValue,
  i16,
  i32,
  i64,
  i8,
  ipv4,
  SchemaError,
  u16,
  u32,
  u64,
  u8,
} from "./index.ts";

const test = suite("types: scalars");

test("each kind lies in memory in its size and byte order", () => {
  const cases = [
    [encodeValue(u8, 0xfe), [0xfe]],
    [encodeValue(i8, -2), [0xfe]],
    [encodeValue(u16, 0x1234), [0x34, 0x12]],
    [encodeValue(be16, 0x1234), [0x12, 0x34]],
    [encodeValue(i16, -2), [0xfe, 0xff]],
    [encodeValue(u32, 0x12345678), [0x78, 0x56, 0x34, 0x12]],
    [encodeValue(be32, 0xfedcba98), [0xfe, 0xdc, 0xba, 0x98]],
    [encodeValue(i32, -2), [0xfe, 0xff, 0xff, 0xff]],
    [encodeValue(u64, 0x0102030405060708n), [8, 7, 6, 5, 4, 3, 2, 1]],
    [encodeValue(be64, 0xf102030405060708n), [0xf1, 2, 3, 4, 5, 6, 7, 8]],
    [encodeValue(i64, -2n), [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
  ] as const;
  for (const [bytes, expected] of cases) assert.equal([...bytes], [...expected]);
});

test("the ends of each range are held, and what lies beyond is refused", () => {
  const narrow = [
    [u8, 0, 255],
    [i8, -128, 127],
    [u16, 0, 65535],
    [be16, 0, 65535],
    [i16, -32768, 32767],
    [u32, 0, 2 ** 32 - 1],
    [be32, 0, 2 ** 32 - 1],
    [i32, -(2 ** 31), 2 ** 31 - 1],
  ] as const;
  for (const [schema, min, max] of narrow) {
    for (const value of [min, max]) assert.is(decodeValue(schema, encodeValue(schema, value)), value, String(schema));
    for (const value of [min - 1, max + 1, 0.5, NaN, Infinity])
      assert.throws(
        () => encodeValue(schema, value),
        (error: unknown) => error instanceof SchemaError,
        `${schema} ${value}`,
      );
  }
  const wide = [
    [u64, 0n, 2n ** 64n - 1n],
    [be64, 0n, 2n ** 64n - 1n],
    [i64, -(2n ** 63n), 2n ** 63n - 1n],
  ] as const;
  for (const [schema, min, max] of wide) {
    for (const value of [min, max]) assert.is(decodeValue(schema, encodeValue(schema, value)), value, String(schema));
    for (const value of [min - 1n, max + 1n])
      assert.throws(
        () => encodeValue(schema, value),
        (error: unknown) => error instanceof SchemaError,
      );
  }
  assert.throws(() => encodeValue(u64, 1 as unknown as bigint), /not a bigint/);
});

test("a schema makes constants of its kind", () => {
  assert.equal(be16(80), { constant: "be16", value: 80n });
  assert.equal(ipv4("192.0.2.1"), { constant: "be32", value: 0xc0000201n });
  assert.throws(() => u8(256), /out of range/);
});

test("IPv4 addresses go there and back", () => {
  check(
    property(integer({ min: 0, max: 2 ** 32 - 1 }), (value) => {
      const text = decodeValue(ipv4, encodeValue(be32, value));
      assert.ok(isIPv4(text), text);
      assert.is(decodeValue(be32, encodeValue(ipv4, text)), value);
    }),
  );
});

test("text is refused as an IPv4 address exactly where Node refuses it", () => {
  const nearly = list(oneof(integer({ min: 0, max: 300 }).map(String), string({ maxLength: 2 })), {
    minLength: 3,
    maxLength: 5,
  }).map((parts) => parts.join("."));
  const edges = [
    "",
    ".",
    "1.2.3",
    "1.2.3.",
    ".1.2.3",
    "1..2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "01.2.3.4",
    "1.2.3.00",
    "1.2.3.4 ",
    "1.2.3.-4",
    "0.0.0.0",
    "255.255.255.255",
  ];
  const accepts = (text: string) => {
    try {
      encodeValue(ipv4, text);
      return true;
    } catch (error) {
      assert.instance(error, SchemaError);
      return false;
    }
  };
  for (const text of edges) assert.is(accepts(text), isIPv4(text), JSON.stringify(text));
  check(
    property(nearly, (text) => assert.is(accepts(text), isIPv4(text), JSON.stringify(text))),
    { numRuns: 500 },
  );
});

test.run();
