import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { hashOf, MAGLEV_TABLE_SIZES } from "../model/index.ts";
import { maglevTable } from "./maglev.ts";

const test = suite("Maglev tables");

interface Backend {
  readonly address: string;
  readonly port: number;
  readonly weight: number;
}

const backends = fc.uniqueArray(
  fc.record({ address: fc.ipV4(), port: fc.integer({ min: 1, max: 65_535 }), weight: fc.integer({ min: 1, max: 20 }) }),
  { minLength: 1, maxLength: 12, selector: ({ address, port }) => `${address}:${port}` },
);
const sizes = fc.constantFrom(...MAGLEV_TABLE_SIZES.filter((size) => size < 5_000));

function counts(table: readonly Backend[]): Map<Backend, number> {
  const found = new Map<Backend, number>();
  for (const backend of table) found.set(backend, (found.get(backend) ?? 0) + 1);
  return found;
}

test("every size is prime, so that each backend's order reaches every slot", () => {
  for (const size of MAGLEV_TABLE_SIZES) {
    for (let divisor = 2; divisor * divisor <= size; divisor++)
      assert.ok(size % divisor !== 0, `${size} is divisible by ${divisor}`);
  }
});

test("shares follow the weights, up to rounding", () => {
  fc.assert(
    fc.property(backends, sizes, (list, size) => {
      const table = maglevTable(list, size);
      assert.is(table.length, size);
      const found = counts(table);
      const total = list.reduce((sum, { weight }) => sum + weight, 0);
      for (const backend of list) {
        const share = (size * backend.weight) / total;
        // Fractions of slots are dealt out by weight too; the last round may end before all have had their turn.
        const extra = (list.length * backend.weight) / total;
        const slots = found.get(backend) ?? 0;
        assert.ok(slots > share - 2 && slots < share + extra + 1, `${slots} slots of ${size} for a share of ${share}`);
      }
    }),
    { numRuns: 200 },
  );
  const even = Array.from({ length: 10 }, (_, i) => ({ address: `20.0.0.${i}`, port: 80, weight: 7 }));
  assert.equal(
    [...counts(maglevTable(even, 1021)).values()].sort((a, b) => a - b),
    [102, 102, 102, 102, 102, 102, 102, 102, 102, 103],
  );
});

test("the order of the backends does not matter", () => {
  fc.assert(
    fc.property(
      backends.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))),
      sizes,
      ([list, other], size) => {
        assert.equal(maglevTable(other, size), maglevTable(list, size));
      },
    ),
    { numRuns: 50 },
  );
});

test("when a backend goes, few slots beside its own change", () => {
  const size = 1021;
  let moved = 0;
  let kept = 0;
  for (let set = 0; set < 40; set++) {
    const list = Array.from({ length: 10 }, (_, i) => ({ address: `10.0.${set}.${i}`, port: 8080, weight: 1 }));
    const gone = list[set % list.length]!;
    const before = maglevTable(list, size);
    const after = maglevTable(
      list.filter((backend) => backend !== gone),
      size,
    );
    before.forEach((backend, slot) => {
      if (backend === gone) return;
      kept++;
      if (after[slot] !== backend) moved++;
    });
  }
  // Selection by remainder would move nine in ten.
  assert.ok(moved > 0 && moved < kept * 0.05, `${moved} of ${kept} slots moved`);
});

test("the table is the same in every version, so that an update moves no client", () => {
  const table = maglevTable(
    [
      { address: "20.0.0.1", port: 80, weight: 2 },
      { address: "fd00:20::1", port: 8080, weight: 1 },
    ],
    251,
  );
  assert.is(hashOf(table.map(({ port }) => port).join()), FIRST_TABLE);
});

/** Recorded from the first version. */
const FIRST_TABLE = 3953340245;

test("no backends, no slots", () => assert.equal(maglevTable([], 251), []));

test.run();

const hashes = suite("hash");

hashes("one digit or the seed changes every bit about half of the time", () => {
  const flips = new Array<number>(32).fill(0);
  const pairs = 2_000;
  for (let i = 0; i < pairs; i++) {
    const text = `10.0.${i >> 8}.${i & 255}`;
    const difference = hashOf(text) ^ (i % 2 === 0 ? hashOf(`${text}1`) : hashOf(text, 1));
    for (let bit = 0; bit < 32; bit++) if ((difference >>> bit) & 1) flips[bit]!++;
  }
  for (const [bit, count] of flips.entries())
    assert.ok(Math.abs(count / pairs - 0.5) < 0.06, `bit ${bit}: ${count} of ${pairs}`);
});

hashes("addresses that follow one another are spread over the whole range", () => {
  const parts = new Array<number>(16).fill(0);
  for (let i = 0; i < 4_096; i++) parts[Math.floor((hashOf(`10.244.${i >> 8}.${i & 255}`) / 2 ** 32) * 16)]!++;
  for (const count of parts) assert.ok(count > 200 && count < 312, parts.join());
});

hashes.run();
