/**
 * Runs the same random map operations in the simulator and the running kernel, and compares every result, error
 * number and value read.
 */
import * as assert from "uvu/assert";
import {
  add,
  call,
  encode,
  exit,
  type Instruction,
  type Item,
  jeq,
  jgt,
  label,
  load,
  loadMap,
  mov,
  mul,
  program,
  type Program,
  r0,
  r1,
  r10,
  r2,
  r3,
  r4,
  r8,
  r9,
  store,
  w0,
  xor,
} from "../asm/index.ts";
import { linux } from "../kernel/index.ts";
import { kernelSuite } from "../testing/index.ts";
import {
  array,
  arrayOf,
  AttachType,
  hash,
  lpmTrie,
  lruHash,
  type MapDefinition,
  percpuArray,
  percpuHash,
  ProgramType,
  struct,
  u32,
  u64,
  u8,
} from "../types/index.ts";
import { World } from "./index.ts";
import { seededRandom } from "./random.ts";

const test = kernelSuite("simulated maps against kernel");

const Prefix = struct("prefix", { length: u32, data: arrayOf(u8, 4) });
const OPERATIONS = 24;

/** Few keys, so that operations collide; small maps, so that they fill up. */
const maps: Readonly<Record<string, { definition: MapDefinition; keys: readonly (readonly [number, number])[] }>> = {
  hash: {
    definition: hash("m", { key: u64, value: u64, maxEntries: 4 }),
    keys: Array.from({ length: 7 }, (_, i) => [i, 1] as const),
  },
  array: {
    definition: array("m", { value: u64, maxEntries: 4 }),
    keys: Array.from({ length: 6 }, (_, i) => [i, 0] as const),
  },
  "per-CPU hash": {
    definition: percpuHash("m", { key: u64, value: u64, maxEntries: 4 }),
    keys: Array.from({ length: 4 }, (_, i) => [i, 1] as const),
  },
  "per-CPU array": {
    definition: percpuArray("m", { value: u64, maxEntries: 4 }),
    keys: Array.from({ length: 6 }, (_, i) => [i, 0] as const),
  },
  // Never full, because the kernel's eviction order is approximate.
  "LRU hash": {
    definition: lruHash("m", { key: u64, value: u64, maxEntries: 512 }),
    keys: Array.from({ length: 7 }, (_, i) => [i, 1] as const),
  },
  "LPM trie": {
    definition: lpmTrie("m", { key: Prefix, value: u64, maxEntries: 5 }),
    keys: [
      [0, 0],
      [8, 0x0a],
      [16, 0x010a],
      [20, 0x20010a],
      [20, 0x2f010a],
      [24, 0x20010a],
      [32, 0x0120010a],
      [32, 0x0220010a],
      [33, 0x0120010a],
      [7, 0x0b],
    ],
  },
};

/** Performs random operations on the map and writes their results into the packet. */
function randomOperations(seed: number, { definition, keys }: (typeof maps)[string]): Program {
  const random = seededRandom(seed);
  const below = (limit: number): number => random() % limit;
  const items: Item[] = [
    load("u32", r9, r1, 0),
    load("u32", r2, r1, 4),
    mov(r3, r9),
    add(r3, 64),
    jgt(r3, r2, "out"),
    mov(r8, 0),
  ];
  for (let i = 0; i < OPERATIONS; i++) {
    const [first, second] = keys[below(keys.length)]!;
    items.push(
      store("u32", r10, -8, first),
      store("u32", r10, -4, second),
      store("u64", r10, -16, below(1000)),
      loadMap(r1, definition),
      mov(r2, r10),
      add(r2, -8),
    );
    switch (below(3)) {
      case 0:
        items.push(
          call("bpf_map_lookup_elem"),
          jeq(r0, 0, `none${i}`),
          load("u64", r3, r0, 0),
          store("u64", r0, 0, i),
          mov(r0, r3),
          add(r0, 1),
          label(`none${i}`),
        );
        break;
      case 1:
        items.push(mov(r3, r10), add(r3, -16), mov(r4, below(4)), call("bpf_map_update_elem"));
        break;
      default:
        items.push(call("bpf_map_delete_elem"));
    }
    items.push(mul(r8, 31), xor(r8, r0));
  }
  items.push(store("u64", r9, 0, r8), label("out"), mov(w0, 2), exit());
  return program({
    name: "maps",
    type: ProgramType.XDP,
    expectedAttachType: AttachType.XDP,
    section: "xdp",
    items,
    maps: [definition],
  });
}

function runInKernel(source: Program, packet: Uint8Array): Uint8Array {
  const { name, type, key, value, maxEntries, flags } = source.maps[0]!;
  const map = linux.createMap({ name, type, keySize: key.size, valueSize: value.size, maxEntries, flags });
  try {
    const instructions = source.instructions.map(
      (instruction): Instruction =>
        instruction.reference === undefined ? instruction : { ...instruction, immediate: map.number },
    );
    const { fd } = linux.loadProgram({ ...source, code: encode(instructions), instructions });
    try {
      return linux.testRunProgram(fd, { data: packet }).data;
    } finally {
      fd.close();
    }
  } finally {
    map.close();
  }
}

for (const [name, map] of Object.entries(maps)) {
  test(`${name}: ${OPERATIONS} operations, 25 times`, () => {
    const packet = new Uint8Array(64);
    for (let seed = 1; seed <= 25; seed++) {
      const source = randomOperations(seed, map);
      const simulated = new World().run(source, { packet }).packet!;
      assert.is(
        Buffer.from(simulated).toString("hex"),
        Buffer.from(runInKernel(source, packet)).toString("hex"),
        `seed ${seed}`,
      );
    }
  });
}

test.run();
