import { suite } from "uvu";
import * as assert from "uvu/assert";
import { hash, isPerCpu, lpmTrie, mapKind, MapFlag, MapType, mapTypeName, skStorage, struct, u32 } from "./index.ts";

const test = suite("types: kinds of maps");
const { UNSPEC: _, ...types } = MapType;

test("every type of map has one kind, of its own number", () => {
  for (const [name, type] of Object.entries(types)) {
    assert.is(mapKind(type).type, type, name);
    assert.is(mapTypeName(type), name);
    assert.is(isPerCpu(type), name.includes("PERCPU"), name);
  }
});

test("declarations have the flags that the kernel demands of their kind", () => {
  const Prefix = struct("prefix", { bits: u32, address: u32 });
  assert.is(lpmTrie("trie", { key: Prefix, value: u32, maxEntries: 1 }).flags, MapFlag.NO_PREALLOC);
  assert.is(skStorage("storage", { value: u32 }).flags, MapFlag.NO_PREALLOC);
  assert.is(hash("hash", { key: u32, value: u32, maxEntries: 1, flags: MapFlag.ZERO_SEED }).flags, MapFlag.ZERO_SEED);
});

test("maps that the kernel creates with BTF only take BTF", () => {
  assert.is(mapKind(MapType.SK_STORAGE).btf, "required");
  assert.is(mapKind(MapType.RINGBUF).btf, "refused");
  assert.is(mapKind(MapType.HASH).btf, undefined);
});

test.run();
