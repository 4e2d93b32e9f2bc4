import { suite } from "uvu";
import * as assert from "uvu/assert";
import { arrayOf, be16, be32, global, hash, ipv4, mapDifference, schemaDifference, struct, u16, u32 } from "./index.ts";

const test = suite("types: differences");

test("schemas of the same bytes do not differ, whatever their structs are named", () => {
  const one = struct("one", { address: ipv4, ports: arrayOf(be16, 2) });
  const other = struct("other", { address: be32, ports: arrayOf(be16, 2) });
  assert.is(schemaDifference(one, other), undefined);
});

test("the first difference is named", () => {
  const of = (fields: Parameters<typeof struct>[1]) => struct("s", fields);
  const outer = (inner: ReturnType<typeof of>) => of({ id: u32, inner });
  assert.is(schemaDifference(u16, be16), "the whole is u16 in one and be16 in the other");
  assert.is(schemaDifference(of({ a: u16, b: u16 }), of({ a: u16, c: u16 })), "field 2 is b in one and c in the other");
  assert.is(
    schemaDifference(outer(of({ port: u16 })), outer(of({ port: u32 }))),
    "inner.port is u16 in one and u32 in the other",
  );
  assert.is(schemaDifference(of({ a: u16 }), of({ a: u16, b: u16 })), "field b is in the other only");
  assert.is(schemaDifference(of({ a: u16, b: u16 }), of({ a: u16 })), "field b is in one only");
  assert.is(
    schemaDifference(of({ a: arrayOf(u16, 2) }), of({ a: arrayOf(u16, 3) })),
    "a is 2 elements in one and 3 elements in the other",
  );
  assert.is(
    schemaDifference(of({ a: arrayOf(u16, 2) }), of({ a: arrayOf(be16, 2) })),
    "a[] is u16 in one and be16 in the other",
  );
});

test("maps differ in their facts, key, value and first value", () => {
  const declare = (maxEntries: number, value = u32) => hash("m", { key: be32, value, maxEntries });
  assert.is(mapDifference(declare(1), declare(1)), undefined);
  assert.is(mapDifference(declare(1), declare(2)), "its maxEntries is 1 in one and 2 in the other");
  assert.is(
    mapDifference(declare(1), hash("m", { key: be32, value: u16, maxEntries: 1 })),
    "of its value, the whole is u32 in one and u16 in the other",
  );
  assert.is(mapDifference(global("g", u32, 1), global("g", u32, 1)), undefined);
  assert.is(mapDifference(global("g", u32, 1), global("g", u32, 2)), "they begin with different values");
});

test.run();
