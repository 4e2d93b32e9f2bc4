import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  array,
  global,
  hash,
  lpmTrie,
  lruHash,
  lruPercpuHash,
  MapFlag,
  MapType,
  percpuArray,
  percpuHash,
  progArray,
  readOnlyGlobal,
  ringbuf,
  skStorage,
  struct,
  u32,
  u64,
  withInitialValue,
  withMaxEntries,
} from "./index.ts";

const test = suite("maps");

const sizes = { maxEntries: 16 };
const keyed = { key: u64, value: u32, ...sizes };

test("each kind is declared with its type, key, value and flags", () => {
  const declared = [
    hash("a", keyed),
    lruHash("b", keyed),
    percpuHash("c", keyed),
    lruPercpuHash("d", keyed),
    lpmTrie("e", { ...keyed, key: struct("prefix", { length: u32, address: u32 }) }),
    array("f", { value: u64, ...sizes }),
    percpuArray("g", { value: u64, ...sizes }),
    progArray("h", sizes),
    skStorage("i", { value: u64 }),
    ringbuf("j", { value: u64, maxEntries: 4096 }),
  ];
  assert.equal(
    declared.map(({ type, key, value, maxEntries, flags }) => [type, key.size, value.size, maxEntries, flags]),
    [
      [MapType.HASH, 8, 4, 16, 0],
      [MapType.LRU_HASH, 8, 4, 16, 0],
      [MapType.PERCPU_HASH, 8, 4, 16, 0],
      [MapType.LRU_PERCPU_HASH, 8, 4, 16, 0],
      [MapType.LPM_TRIE, 8, 4, 16, MapFlag.NO_PREALLOC],
      [MapType.ARRAY, 4, 8, 16, 0],
      [MapType.PERCPU_ARRAY, 4, 8, 16, 0],
      [MapType.PROG_ARRAY, 4, 4, 16, 0],
      [MapType.SK_STORAGE, 4, 8, 0, MapFlag.NO_PREALLOC],
      [MapType.RINGBUF, 0, 8, 4096, 0],
    ],
  );
});

test("a kind's own flag joins the given ones", () => {
  assert.is(skStorage("a", { value: u32, flags: MapFlag.CLONE }).flags, MapFlag.NO_PREALLOC | MapFlag.CLONE);
  assert.is(hash("a", { ...keyed, flags: MapFlag.NO_PREALLOC }).flags, MapFlag.NO_PREALLOC);
});

for (const name of ["", "a b", "a/b", "ä", "a-b", "../a"]) {
  test(`the name ${JSON.stringify(name)} is refused`, () => {
    assert.throws(
      () => hash(name, keyed),
      (error: unknown) => error instanceof RangeError && error.message.includes(JSON.stringify(name)),
    );
  });
}

test("a long name with digits, dots and underscores is taken whole", () => {
  assert.is(hash("cilium_lb4_reverse_sk.v2", keyed).name, "cilium_lb4_reverse_sk.v2");
});

for (const maxEntries of [-1, 1.5, NaN, 2 ** 32]) {
  test(`${maxEntries} entries are refused`, () => {
    assert.throws(
      () => hash("flows", { ...keyed, maxEntries }),
      new RegExp(`map flows: maxEntries .*not ${maxEntries}$`),
    );
  });
}

test("a declaration cannot be changed, and a copy leaves it as it is", () => {
  const declared = hash("a", keyed);
  assert.ok(Object.isFrozen(declared));
  assert.is(withMaxEntries(declared, 99).maxEntries, 99);
  assert.is(declared.maxEntries, 16);
});

test("a global variable holds its first value, and a read-only one is frozen", () => {
  const counter = global("counter", u32, 0x01020304);
  assert.equal([...counter.initialValue], [4, 3, 2, 1]);
  assert.equal([counter.type, counter.maxEntries, counter.flags, counter.frozen], [MapType.ARRAY, 1, 0, undefined]);
  const limit = readOnlyGlobal("limit", u32, 7);
  assert.equal([limit.flags, limit.frozen], [MapFlag.RDONLY_PROG, true]);
  const other = withInitialValue(limit, 8);
  assert.equal([other.initialValue[0], limit.initialValue[0], other.frozen], [8, 7, true]);
});

test.run();
