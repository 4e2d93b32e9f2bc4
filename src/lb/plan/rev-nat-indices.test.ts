import { suite } from "uvu";
import * as assert from "uvu/assert";
import { RevNatIndices } from "./rev-nat-indices.ts";

const test = suite("rev_nat_index");

test("a service keeps its own; a new one gets the next free index", () => {
  const indices = new RevNatIndices(7);
  assert.equal([indices.keep([7]), indices.keep([8])], [7, 8]);
  assert.is(indices.take(), 9);
  assert.is(indices.next, 10);
});

test("one of two services with the same index keeps it, and index 0 is not kept", () => {
  const indices = new RevNatIndices(0);
  assert.equal(
    [indices.keep([7, 7]), indices.keep([7]), indices.keep([0, 7, 9]), indices.keep([0])],
    [7, undefined, 9, undefined],
  );
  assert.equal([indices.take(), indices.take()], [1, 2]);
});

test("there are 65,535 of them, without 0", () => {
  const indices = new RevNatIndices(65_535);
  const given = Array.from({ length: 65_535 }, () => indices.take());
  assert.equal(given.slice(0, 3), [65_535, 1, 2]);
  assert.is(new Set(given).size, 65_535);
  assert.throws(() => indices.take(), /cannot hold more than 65535 services/);
});

test.run();
