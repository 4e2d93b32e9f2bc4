import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FreeRanges } from "./ranges.ts";

const test = suite("free ranges of slots");

test("continue where the last one ended", () => {
  const free = new FreeRanges(10, []);
  assert.equal(free.take(4), { base: 0, count: 4 });
  assert.equal(free.take(4), { base: 4, count: 4 });
  assert.is(free.next, 8);
  assert.is(free.take(3), undefined);
  assert.equal(free.take(2), { base: 8, count: 2 });
  assert.is(free.total, 0);
});

test("start over at the front after the end", () => {
  const free = new FreeRanges(10, [{ base: 4, count: 2 }], 8);
  assert.equal(free.take(3), { base: 0, count: 3 });
  assert.equal(free.take(3), { base: 6, count: 3 });
});

test("include the start of the range where the search began, as a last resort", () => {
  const free = new FreeRanges(10, [], 3);
  assert.equal(free.take(8), { base: 0, count: 8 });
});

test("exclude used ranges, even overlapping ones and those beyond the end", () => {
  const free = new FreeRanges(10, [
    { base: 2, count: 4 },
    { base: 1, count: 2 },
    { base: 9, count: 5 },
    { base: 40, count: 1 },
    { base: 0xffff_ffff, count: 0 },
  ]);
  assert.is(free.total, 4);
  assert.is(free.largest, 3);
  assert.equal(free.take(3), { base: 6, count: 3 });
});

test("agree with a model that checks every slot", () => {
  const range = fc.record({ base: fc.nat(30), count: fc.nat(6) });
  fc.assert(
    fc.property(
      fc.array(range, { maxLength: 6 }),
      fc.nat(30),
      fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 10 }),
      (used, next, requests) => {
        const size = 24;
        const taken = new Set(used.flatMap(({ base, count }) => Array.from({ length: count }, (_, i) => base + i)));
        const longest = () => {
          let best = 0;
          for (let slot = 0, row = 0; slot < size; slot++) best = Math.max(best, (row = taken.has(slot) ? 0 : row + 1));
          return best;
        };
        const free = new FreeRanges(size, used, next);
        for (const count of requests) {
          assert.is(free.largest, longest());
          const got = free.take(count);
          assert.is(got !== undefined, longest() >= count);
          for (let slot = got?.base ?? 0; slot < (got === undefined ? 0 : got.base + got.count); slot++) {
            assert.ok(slot < size && !taken.has(slot));
            taken.add(slot);
          }
        }
      },
    ),
  );
});

test.run();
