import dgram from "node:dgram";
import { once } from "node:events";
import * as assert from "uvu/assert";
import { BpfError, possibleCpus } from "../kernel/index.ts";
import { FakeKernel, kernelSuite } from "../testing/index.ts";
import {
  array,
  arrayOf,
  be16,
  hash,
  ipv4,
  lpmTrie,
  lruHash,
  lruPercpuHash,
  percpuArray,
  percpuHash,
  progArray,
  ringbuf,
  SchemaError,
  skStorage,
  struct,
  u32,
  u64,
  u8,
  UpdateFlag,
  type MapDefinition,
} from "../types/index.ts";
import { load, type MapHandle, type TypedMap } from "./index.ts";

const Endpoint = struct("endpoint", { address: ipv4, port: be16 });
const Counter = struct("counter", { packets: u64, kind: u8 });

const endpoints = hash("endpoints", { key: Endpoint, value: Counter, maxEntries: 20_000 });
const cpus = possibleCpus();
const perCpu = <T>(make: (cpu: number) => T): T[] => Array.from({ length: cpus }, (_, cpu) => make(cpu));

const refused = (code: string) => (error: unknown) =>
  error instanceof BpfError && error.code === code && error.message.includes("map ");

/** Element access behaves alike on the real kernel and on the one in memory, with batches and without. */
const places = [
  { name: "the kernel", options: () => ({}), batches: true },
  { name: "the kernel in memory", options: () => ({ kernel: new FakeKernel().kernel }), batches: true },
  {
    name: "the kernel in memory, without batches",
    options: () => {
      const fake = new FakeKernel();
      fake.batches = false;
      return { kernel: fake.kernel };
    },
    batches: false,
  },
];

for (const place of places) {
  const test = kernelSuite(`typed maps on ${place.name}`);

  const withMap = <D extends MapDefinition>(definition: D, work: (map: MapHandle<D>) => void): void => {
    const collection = load([], { maps: [definition], ...place.options() });
    try {
      work(collection.map(definition));
    } finally {
      collection.close();
    }
  };

  test("single elements of a hash map", () =>
    withMap(endpoints, (map) => {
      const key = { address: "192.0.2.1", port: 80 };
      assert.is(map.get(key), undefined);
      assert.not(map.has(key));
      map.set(key, { packets: 2n ** 64n - 1n, kind: 255 });
      assert.equal(map.get(key), { packets: 2n ** 64n - 1n, kind: 255 });
      assert.throws(() => map.set(key, { packets: 1n, kind: 1 }, UpdateFlag.NOEXIST), refused("EEXIST"));
      assert.throws(() => map.set({ ...key, port: 81 }, { packets: 1n, kind: 1 }, UpdateFlag.EXIST), refused("ENOENT"));
      assert.ok(map.delete(key));
      assert.not(map.delete(key));
      assert.is(map.count(), 0);
    }));

  test("an element is taken in one step, or the kernel reports ENOTSUPP (hash maps before Linux 5.14)", () =>
    withMap(endpoints, (map) => {
      const key = { address: "192.0.2.1", port: 80 };
      map.set(key, { packets: 7n, kind: 7 });
      try {
        assert.equal(map.take(key), { packets: 7n, kind: 7 });
      } catch (error) {
        assert.ok(refused("ENOTSUPP")(error), String(error));
        assert.ok(map.has(key));
        return;
      }
      assert.is(map.take(key), undefined);
    }));

  test("many elements, in several batches, are each read exactly once", () =>
    withMap(endpoints, (map) => {
      const count = 9_999;
      const key = (i: number) => ({ address: `10.1.${i >> 8}.${i & 255}`, port: i });
      map.setMany(Array.from({ length: count }, (_, i) => [key(i), { packets: BigInt(i), kind: i & 255 }] as const));
      assert.is(map.count(), count);
      const entries = [...map.entries()];
      assert.is(entries.length, count);
      assert.is(new Set(entries.map(([{ port }]) => port)).size, count);
      for (const [{ address, port }, { packets, kind }] of entries.slice(0, 500)) {
        assert.equal([address, packets, kind], [key(port).address, BigInt(port), port & 255]);
      }
      assert.equal(
        map.getMany([key(5), key(20_000), key(6)]).map((value) => value?.packets),
        [5n, undefined, 6n],
      );

      // Absent keys, wherever they are, end a batch but not the deletion.
      assert.is(map.deleteMany([key(15_000), key(1), key(15_001), key(15_002), key(2), key(3), key(15_003)]), 3);
      assert.is(map.deleteMany(Array.from({ length: 5_000 }, (_, i) => key(i))), 5_000 - 3);
      assert.is(map.count(), count - 5_000);
    }));

  test("a range of an array starts at any index, spans batches, and ends at the array's end", () =>
    withMap(array("numbers", { value: Endpoint, maxEntries: 10_000 }), (map) => {
      const value = (i: number) => ({ address: `10.1.${i >> 8}.${i & 255}`, port: i });
      map.setMany(Array.from({ length: 10_000 }, (_, i) => [i, value(i)] as const));
      for (const [first, count] of [
        [0, 0],
        [0, 1],
        [0, 9_000],
        [1, 4_096],
        [5_000, 5_000],
        [9_999, 1],
      ] as const) {
        assert.equal(
          map.getRange(first, count),
          Array.from({ length: count }, (_, i) => value(first + i)),
          `${count} from ${first}`,
        );
      }
      for (const [first, count] of [
        [9_999, 2],
        [10_000, 1],
      ] as const)
        assert.throws(() => map.getRange(first, count), refused("ENOENT"));
    }));

  test("elements can be deleted during a walk", () =>
    withMap(endpoints, (map) => {
      map.setMany(
        Array.from(
          { length: 3_000 },
          (_, i) =>
            [
              { address: "10.0.0.1", port: i },
              { packets: 0n, kind: 0 },
            ] as const,
        ),
      );
      let met = 0;
      for (const [key] of map) {
        assert.ok(map.delete(key));
        met++;
      }
      assert.is(met, 3_000);
      assert.is(map.count(), 0);
    }));

  test("a value that does not fit its schema is refused before anything is written", () =>
    withMap(endpoints, (map) => {
      const good = [
        { address: "10.0.0.1", port: 1 },
        { packets: 0n, kind: 0 },
      ] as const;
      const bad = [
        { address: "10.0.0.1", port: 2 },
        { packets: 0n, kind: 256 },
      ] as const;
      assert.throws(
        () => map.setMany([good, bad]),
        (error: unknown) => error instanceof SchemaError && /kind/.test(error.message),
      );
      assert.throws(
        () => map.set({ address: "10.0.0", port: 1 }, good[1]),
        (error: unknown) => error instanceof SchemaError,
      );
      assert.is(map.count(), 0);
    }));

  test("a full map is an error with a hint", () =>
    withMap(hash("small", { key: u32, value: u32, maxEntries: 2 }), (map) => {
      map.setMany([
        [1, 1],
        [2, 2],
      ]);
      assert.throws(
        () => map.set(3, 3),
        (error: unknown) => refused("E2BIG")(error) && /maxEntries/.test((error as BpfError).hint!),
      );
      assert.throws(
        () =>
          map.setMany([
            [1, 10],
            [3, 3],
            [4, 4],
          ]),
        refused("E2BIG"),
      );
      assert.is(map.get(1), 10);
    }));

  test("arrays", () =>
    withMap(array("numbers", { value: arrayOf(u32, 3), maxEntries: 300 }), (map) => {
      assert.is(map.count(), 300);
      assert.equal(map.get(299), [0, 0, 0]);
      assert.is(map.get(300), undefined);
      map.setMany(Array.from({ length: 300 }, (_, i) => [i, [i, i + 1, i + 2]] as const));
      assert.equal(
        [...map.entries()].map(([key, [value]]) => key === value),
        new Array(300).fill(true),
      );
      assert.throws(() => map.set(300, [0, 0, 0]), refused("E2BIG"));
      const untyped = map as unknown as TypedMap<number, unknown>;
      assert.throws(() => untyped.delete(1), refused("EINVAL"));
    }));

  test("per-CPU values", () => {
    for (const definition of [
      percpuArray("per_cpu_array", { value: Counter, maxEntries: 5 }),
      percpuHash("per_cpu_hash", { key: u32, value: Counter, maxEntries: 5 }),
      lruPercpuHash("per_cpu_lru", { key: u32, value: Counter, maxEntries: 5 }),
    ] as const) {
      withMap(definition as ReturnType<typeof percpuHash<typeof u32, typeof Counter>>, (map) => {
        const values = perCpu((cpu) => ({ packets: BigInt(100 + cpu), kind: cpu }));
        map.set(1, values);
        assert.equal(map.get(1), values);
        map.setMany([
          [2, values],
          [3, perCpu(() => ({ packets: 3n, kind: 3 }))],
        ]);
        const entries = new Map([...map.entries()]);
        assert.equal(entries.get(2), values);
        assert.equal(
          entries.get(3)!.map(({ packets }) => packets),
          perCpu(() => 3n),
        );
        assert.throws(() => map.set(1, []), RangeError);
      });
    }
  });

  test("an LRU map evicts", () =>
    withMap(lruHash("lru", { key: u32, value: u32, maxEntries: 100 }), (map) => {
      map.setMany(Array.from({ length: place.name === "the kernel" ? 5_000 : 50 }, (_, i) => [i, i] as const));
      const count = map.count();
      assert.ok(count > 0 && count <= 100, `${count} entries`);
      assert.is([...map.keys()].length, count);
    }));

  test.run();
}

const test = kernelSuite("typed maps on the real kernel only");

test("every declarable map type is created, with BTF where the kernel accepts it", () => {
  const key = struct("lpm", { prefix: u32, address: ipv4 });
  const definitions = [
    endpoints,
    array("t_array", { value: u64, maxEntries: 3 }),
    lruHash("t_lru", { key: u32, value: u64, maxEntries: 3 }),
    percpuArray("t_pa", { value: u64, maxEntries: 3 }),
    percpuHash("t_ph", { key: u32, value: u64, maxEntries: 3 }),
    lruPercpuHash("t_lph", { key: u32, value: u64, maxEntries: 3 }),
    lpmTrie("t_lpm", { key, value: u64, maxEntries: 3 }),
    progArray("t_progs", { maxEntries: 3 }),
    skStorage("t_storage", { value: Counter }),
    ringbuf("t_ring", { value: Counter, maxEntries: 4096 }),
  ];
  const collection = load([], { maps: definitions });
  for (const { definition, fd } of collection.maps.values()) {
    const info = collection.kernel.mapInfo(fd);
    assert.is(info.type, definition.type, definition.name);
    assert.is(info.name, definition.name.slice(0, 15));
    // Kernels differ on BTF for program arrays and ring buffers.
    if (!["t_progs", "t_ring"].includes(definition.name)) assert.ok(info.btfId > 0, `BTF of ${definition.name}`);
  }
  collection.close();
});

test("a longest-prefix trie", () => {
  const routes = lpmTrie("routes", { key: struct("lpm", { prefix: u32, address: ipv4 }), value: u32, maxEntries: 100 });
  const collection = load([], { maps: [routes] });
  const map = collection.map(routes);
  map.setMany([
    [{ prefix: 8, address: "10.0.0.0" }, 8],
    [{ prefix: 24, address: "10.1.2.0" }, 24],
  ]);
  assert.is(map.get({ prefix: 32, address: "10.1.2.3" }), 24);
  assert.is(map.get({ prefix: 32, address: "10.1.3.3" }), 8);
  assert.is(map.count(), 2);
  assert.equal(
    [...map.entries()].map(([, value]) => value).sort((a, b) => a - b),
    [8, 24],
  );
  collection.close();
});

test("socket storage is written, read and deleted by the socket's descriptor", async () => {
  const storage = skStorage("storage", { value: Counter });
  const collection = load([], { maps: [storage] });
  const map = collection.map(storage);
  const socket = dgram.createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  try {
    const fd = descriptorOf(socket);
    assert.is(map.get(fd), undefined);
    map.set(fd, { packets: 5n, kind: 1 });
    assert.equal(map.get(fd), { packets: 5n, kind: 1 });
    assert.ok(map.delete(fd));
    assert.is(map.get(fd), undefined);
  } finally {
    socket.close();
    collection.close();
  }
});

/** Node does not expose a socket's descriptor. */
function descriptorOf(socket: dgram.Socket): number {
  const handle = Object.getOwnPropertySymbols(socket).map(
    (symbol) => (socket as unknown as Record<symbol, { handle?: { fd: number } }>)[symbol]?.handle,
  );
  return handle.find((found) => found !== undefined)!.fd;
}

test("a closed map is not used through its old descriptor number", () => {
  const collection = load([], { maps: [endpoints] });
  const map = collection.map(endpoints);
  collection.close();
  assert.throws(() => map.get({ address: "10.0.0.1", port: 1 }), /used after it was closed/);
});

test.run();
