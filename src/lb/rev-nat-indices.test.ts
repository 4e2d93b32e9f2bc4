import { suite } from "uvu";
import * as assert from "uvu/assert";
import { RevNatIndices } from "./rev-nat-indices.ts";
import type { StoredService } from "./state.ts";

const test = suite("rev_nat_index");

const key = (port: number) => ({ address: "100.0.0.1", port, protocol: 6, scope: 0 });

const stored = (port: number, revNatIndex: number): StoredService => ({
  key: key(port),
  value: { key: key(port), range: { base: 0, count: 0 }, revNatIndex, flags: 0, affinityTimeout: 0 },
  backends: [],
  name: undefined,
});

test("a service keeps its own; another gets the next that is not in use", () => {
  const indices = new RevNatIndices([stored(1, 7), stored(2, 8)], 7);
  assert.is(indices.of("100.0.0.1:2/6/0"), 8);
  assert.is(indices.of("new"), 9);
  assert.is(indices.next, 10);
});

test("one of two services with the same index gets another, and so does one with 0", () => {
  const indices = new RevNatIndices([stored(1, 7), stored(2, 7), stored(3, 0)], 0);
  assert.equal([1, 2, 3].map((port) => indices.of(`100.0.0.1:${port}/6/0`)), [7, 1, 2]);
});

test("there are 65,535 of them, 0 left out, and no more", () => {
  const indices = new RevNatIndices([], 65_535);
  const given = Array.from({ length: 65_535 }, (_, i) => indices.of(`service ${i}`));
  assert.equal(given.slice(0, 3), [65_535, 1, 2]);
  assert.is(new Set(given).size, 65_535);
  assert.throws(() => indices.of("one more"), /cannot tell more than 65535 services apart/);
});

test.run();
