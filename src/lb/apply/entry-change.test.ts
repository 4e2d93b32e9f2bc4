import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { optOutNamespaces } from "../../../programs/index.ts";
import { EntryChange, type ChangedMap } from "./entry-change.ts";
import { LoadBalancerError } from "../model/index.ts";

const test = suite("maps that hold exactly what they are given");

type Numbers = typeof optOutNamespaces;

/** A map of numbers in memory with a limit, like the kernel's. */
class FakeMap implements ChangedMap<Numbers> {
  readonly name = "fake";
  readonly maxEntries = 3;
  readonly elements: Map<bigint, number>;
  writes = 0;

  constructor(entries: readonly (readonly [bigint, number])[]) {
    this.elements = new Map(entries);
  }

  setMany(entries: Iterable<readonly [bigint, number]>): void {
    for (const [key, value] of entries) {
      this.elements.set(key, value);
      this.writes++;
      assert.ok(this.elements.size <= this.maxEntries);
    }
  }

  deleteMany(keys: Iterable<bigint>): number {
    let deleted = 0;
    for (const key of keys) if (this.elements.delete(key)) deleted++;
    this.writes += deleted;
    return deleted;
  }

  [Symbol.iterator](): Iterator<readonly [bigint, number]> {
    return this.elements.entries();
  }
}

test("writes only differences: adds missing entries first, removes stale ones last", () => {
  const map = new FakeMap([
    [1n, 1],
    [2n, 2],
  ]);
  const change = new EntryChange<Numbers>(map, [
    [1n, 1],
    [3n, 3],
  ]);
  change.add();
  assert.equal(
    [...map.elements],
    [
      [1n, 1],
      [2n, 2],
      [3n, 3],
    ],
  );
  change.remove();
  assert.equal(
    [...map.elements],
    [
      [1n, 1],
      [3n, 3],
    ],
  );
  assert.is(map.writes, 2);
  const again = new EntryChange<Numbers>(map, [
    [3n, 3],
    [1n, 1],
  ]);
  again.add();
  again.remove();
  assert.is(map.writes, 2);
});

test("writes another value", () => {
  const map = new FakeMap([[1n, 1]]);
  new EntryChange<Numbers>(map, [[1n, 5]]).add();
  assert.equal([...map.elements], [[1n, 5]]);
});

test("removes stale entries first if the map cannot hold both", () => {
  const map = new FakeMap([
    [1n, 1],
    [2n, 2],
  ]);
  const change = new EntryChange<Numbers>(map, [
    [3n, 3],
    [4n, 4],
  ]);
  change.add();
  change.remove();
  assert.equal(
    [...map.elements],
    [
      [3n, 3],
      [4n, 4],
    ],
  );
});

test("reports a map that is too small, and changes nothing", () => {
  const map = new FakeMap([]);
  assert.throws(
    () =>
      new EntryChange<Numbers>(
        map,
        [1n, 2n, 3n, 4n].map((key) => [key, 1] as const),
      ),
    (error: Error) =>
      error instanceof LoadBalancerError && error.message === "map fake has room for 3 entries, but 4 are needed",
  );
});

test("reverses a change, however far it has come", () => {
  const before = [
    [1n, 1],
    [2n, 2],
  ] as const;
  for (const steps of [0, 1, 2]) {
    const map = new FakeMap(before);
    const change = new EntryChange<Numbers>(map, [
      [2n, 7],
      [3n, 3],
    ]);
    if (steps > 0) change.add();
    if (steps > 1) change.remove();
    const back = change.reversed();
    back.add();
    back.remove();
    assert.equal(
      [...map.elements].sort(([a], [b]) => Number(a - b)),
      before,
    );
  }
});

test.run();
