import * as assert from "uvu/assert";
import { kernelBtf } from "../btf/index.ts";
import { possibleCpus } from "../kernel/index.ts";
import { kernelSuite } from "../testing/index.ts";
import {
  array,
  hash,
  lruHash,
  lruPercpuHash,
  MapFlag,
  percpuHash,
  u32,
  u64,
  type MapDefinition,
} from "../types/index.ts";
import { kernelElementCount, load, type TypedMap } from "./index.ts";

const test = kernelSuite("the kernel's element count of a map");

const kept = kernelBtf().find("func", "bpf_map_sum_elem_count") !== undefined;
const shape = { key: u32, value: u64, maxEntries: 3_000 };
const perCpu = new Array<bigint>(possibleCpus()).fill(1n);

const maps: readonly (readonly [what: string, definition: MapDefinition, value: unknown])[] = [
  ["hash", hash("counted_hash", shape), 1n],
  ["hash without preallocation", hash("counted_lazy", { ...shape, flags: MapFlag.NO_PREALLOC }), 1n],
  ["per-CPU hash", percpuHash("counted_percpu", shape), perCpu],
  ["LRU hash", lruHash("counted_lru", shape), 1n],
  ["per-CPU LRU hash", lruPercpuHash("counted_lrup", shape), perCpu],
];

for (const [what, definition, value] of maps) {
  test(`${what}: the count equals a walk's, after insertions and deletions`, () => {
    using collection = load([], { maps: [definition] });
    const map = collection.map(definition) as unknown as TypedMap<number, unknown>;
    const check = () => assert.is(kernelElementCount(definition, map.fd), kept ? map.count() : undefined);
    check();
    for (let i = 0; i < 2_000; i++) map.set(i, value);
    // Updates and deletions of absent keys leave the count unchanged.
    for (let i = 0; i < 500; i++) map.set(i, value);
    check();
    for (let i = 1_500; i < 2_500; i++) map.delete(i);
    check();
    assert.is(map.count(), 1_500);
    // More elements than the map can hold: an LRU map evicts some.
    if (what.includes("LRU")) for (let i = 10_000; i < 20_000; i++) map.set(i, value);
    else
      assert.throws(() => {
        for (let i = 10_000; i < 20_000; i++) map.set(i, value);
      }, /E2BIG/);
    check();
    map.deleteMany([...map.keys()]);
    check();
    assert.is(map.count(), 0);
  });
}

test("an array has no count", () => {
  const definition = array("uncounted", { value: u64, maxEntries: 4 });
  using collection = load([], { maps: [definition] });
  assert.is(kernelElementCount(definition, collection.map(definition).fd), undefined);
});

test.run();
