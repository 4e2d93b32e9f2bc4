/** The rules of each map type, through the user-space API and through helpers. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  array,
  arrayOf,
  encodeValue,
  hash,
  lpmTrie,
  lruHash,
  lruPercpuHash,
  percpuArray,
  percpuHash,
  progArray,
  ringbuf,
  struct,
  u32,
  u64,
  u8,
  UpdateFlag,
  withMaxEntries,
} from "../types/index.ts";
import { SimulatedMapError, SimulatedMaps } from "./maps/index.ts";
import { RingBuffer } from "./maps/ring-buffer.ts";

const test = suite("simulated maps");

const key = (value: number) => encodeValue(u32, value);
const errnoOf = (work: () => unknown): number => {
  try {
    work();
  } catch (error) {
    if (error instanceof SimulatedMapError) return error.errno;
    throw error;
  }
  return 0;
};

test("hash: typed get, set, delete, entries; flags and the full map as in the kernel", () => {
  const map = new SimulatedMaps().of(hash("h", { key: u32, value: u64, maxEntries: 2 }));
  map.set(1, 10n);
  map.set(2, 20n);
  assert.is(map.get(1), 10n);
  assert.is(map.get(3), undefined);
  assert.is(
    errnoOf(() => map.set(3, 30n)),
    7,
    "E2BIG",
  );
  assert.is(
    errnoOf(() => map.set(1, 11n, UpdateFlag.NOEXIST)),
    17,
    "EEXIST",
  );
  assert.is(
    errnoOf(() => map.set(3, 11n, UpdateFlag.EXIST)),
    2,
    "ENOENT",
  );
  assert.is(map.remove(key(9)), -2, "ENOENT");
  assert.is(map.update(key(1), new Uint8Array(8), 7, 0), -22, "EINVAL");
  map.set(1, 11n);
  assert.is(map.delete(2), true);
  assert.is(map.delete(2), false);
  assert.equal([...map], [[1, 11n]]);
  assert.is(map.count(), 1);
});

test("hash: keys are compared byte for byte, padding included", () => {
  const Key = struct("key", { a: u8, b: u32 });
  const map = new SimulatedMaps().of(hash("h", { key: Key, value: u8, maxEntries: 8 }));
  map.set({ a: 1, b: 2 }, 5);
  assert.is(map.valueOf(Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0), 0)?.bytes[0], 5);
  assert.is(map.valueOf(Uint8Array.of(1, 0, 9, 0, 2, 0, 0, 0), 0), undefined);
});

test("array: all elements exist from the start, are updated in place and cannot be deleted", () => {
  const map = new SimulatedMaps().of(array("a", { value: u32, maxEntries: 2 }));
  const value = map.valueOf(key(1), 0)!;
  map.set(1, 7);
  assert.is(value.view.getUint32(0, true), 7);
  assert.is(value.gone, undefined);
  assert.equal(
    [...map],
    [
      [0, 0],
      [1, 7],
    ],
  );
  assert.is(
    errnoOf(() => map.set(2, 1)),
    7,
    "E2BIG",
  );
  assert.is(
    errnoOf(() => map.set(1, 1, UpdateFlag.NOEXIST)),
    17,
    "EEXIST",
  );
  assert.is(
    errnoOf(() => map.delete(1)),
    22,
    "EINVAL",
  );
  assert.is(map.get(2), undefined);
});

test("LRU: evicts the least recently used element; lookups by user space do not count as use", () => {
  const map = new SimulatedMaps().of(lruHash("l", { key: u32, value: u32, maxEntries: 3 }));
  for (const each of [1, 2, 3]) map.set(each, each);
  map.valueOf(key(1), 0);
  assert.is(map.get(2), 2);
  map.set(4, 4);
  assert.equal([...map.keys()], [3, 1, 4]);
  map.set(3, 33);
  map.set(5, 5);
  assert.equal([...map.keys()], [4, 3, 5]);
});

test("a deleted, replaced or evicted value is invalid", () => {
  const map = new SimulatedMaps().of(lruHash("l", { key: u32, value: u32, maxEntries: 1 }));
  map.set(1, 1);
  const first = map.valueOf(key(1), 0)!;
  map.set(1, 2);
  assert.match(first.gone!, /replaced/);
  const second = map.valueOf(key(1), 0)!;
  map.set(2, 2);
  assert.match(second.gone!, /evicted/);
  const third = map.valueOf(key(2), 0)!;
  map.delete(2);
  assert.match(third.gone!, /deleted/);
});

test("per-CPU maps have one value per CPU", () => {
  const maps = new SimulatedMaps({ cpus: 2 });
  const perArray = maps.of(percpuArray("pa", { value: u32, maxEntries: 1 }));
  perArray.valueOf(key(0), 1)!.view.setUint32(0, 5, true);
  assert.equal(perArray.get(0), [0, 5]);
  for (const map of [
    maps.of(percpuHash("ph", { key: u32, value: u32, maxEntries: 1 })),
    maps.of(lruPercpuHash("plh", { key: u32, value: u32, maxEntries: 1 })),
  ]) {
    map.set(1, [7, 8]);
    assert.is(map.update(key(1), encodeValue(u32, 9), 0, 0), 0);
    assert.equal(map.get(1), [9, 8]);
    assert.throws(
      () => map.set(1, [7]),
      /cannot write a per-CPU value of 1 parts to map .*: the simulated kernel has 2 CPUs/,
    );
  }
});

test("LPM trie: finds the longest prefix that is no longer than the key", () => {
  const Prefix = struct("prefix", { length: u32, data: arrayOf(u8, 4) });
  const map = new SimulatedMaps().of(lpmTrie("t", { key: Prefix, value: u32, maxEntries: 4 }));
  map.set({ length: 0, data: [0, 0, 0, 0] }, 1);
  map.set({ length: 8, data: [10, 0, 0, 0] }, 2);
  map.set({ length: 20, data: [10, 1, 0x2f, 0] }, 3);
  const find = (length: number, ...data: number[]) => map.get({ length, data });
  assert.is(find(32, 10, 1, 0x20, 9), 3);
  assert.is(find(32, 10, 1, 0x30, 9), 2);
  assert.is(find(19, 10, 1, 0x20, 9), 2);
  assert.is(find(32, 11, 1, 0x20, 9), 1);
  assert.is(find(33, 10, 0, 0, 0), undefined);
  map.set({ length: 20, data: [10, 1, 0x20, 0] }, 33);
  assert.is(map.count(), 3, "the same prefix: bits after it are ignored");
  map.set({ length: 32, data: [1, 1, 1, 1] }, 4);
  assert.is(
    errnoOf(() => map.set({ length: 32, data: [2, 1, 1, 1] }, 4)),
    28,
    "ENOSPC",
  );
  assert.is(
    errnoOf(() => map.set({ length: 33, data: [2, 1, 1, 1] }, 4)),
    22,
    "EINVAL",
  );
  assert.is(map.delete({ length: 8, data: [10, 99, 0, 0] }), true);
  assert.is(map.delete({ length: 8, data: [10, 99, 0, 0] }), false);
  assert.is(find(32, 10, 2, 0, 0), 1);
});

test("ring buffer: records keep reservation order, headers take space, an unfinished one blocks later ones", () => {
  const ring = new SimulatedMaps().of(ringbuf("r", { value: u64, maxEntries: 4096 }));
  const first = ring.reserve(8)!;
  const second = ring.reserve(8)!;
  second.view.setBigUint64(0, 2n, true);
  RingBuffer.finish(second, "submitted");
  assert.equal(ring.read(), []);
  RingBuffer.finish(first, "discarded");
  assert.equal(ring.read(), [2n]);
  assert.is(RingBuffer.finish(first, "submitted"), false);
  let reserved = 0;
  while (ring.reserve(8) !== undefined) reserved++;
  assert.is(reserved, 256);
  assert.is(ring.discardUnfinished(), true);
  assert.is(ring.discardUnfinished(), false);
  assert.equal(ring.read(), []);
});

test("one name is one map with one shape", () => {
  const maps = new SimulatedMaps();
  const definition = hash("h", { key: u32, value: u32, maxEntries: 4 });
  maps.of(definition).set(1, 2);
  assert.is(maps.of(hash("h", { key: u32, value: u32, maxEntries: 4 })).get(1), 2);
  assert.throws(() => maps.of(withMaxEntries(definition, 5)), /declared twice, and its maxEntries is/);
  assert.throws(
    () => maps.of(progArray("p", { maxEntries: 1 })).set(1, undefined as never),
    /cannot set program 1 of map p: it has 1 entries/,
  );
});

test.run();
