/**
 * `npm run bench:kernel`: nanoseconds of a map operation, through the typed
 * handle and, beside it, on bytes alone, which is the system call and the way to
 * it. Rounds take turns, so that all see the same machine; medians are shown.
 *
 * The map is the load balancer's shape: a struct of address and port to a
 * struct of 12 bytes, in a hash map. Needs root on Linux.
 *
 * Usage: npm run bench:kernel -- [ELEMENTS] [ROUNDS]
 */
import { linux } from "../../src/kernel/index.ts";
import { load } from "../../src/loader/index.ts";
import { be16, hash, ipv4, struct, u16, u32 } from "../../src/types/index.ts";

const elements = Number(process.argv[2] ?? 20_000);
const rounds = Number(process.argv[3] ?? 9);

const definition = hash("bench", {
  key: struct("bench_key", { address: ipv4, port: be16 }),
  value: struct("bench_value", { base: u32, count: u32, index: u16 }),
  maxEntries: 2 * elements,
});

const collection = load([], { maps: [definition] });
const map = collection.map(definition);
const bytes = linux.mapElements(map.fd, {
  name: "bench", type: definition.type, keySize: definition.key.size, valueSize: definition.value.size, maxEntries: definition.maxEntries,
});
const entries = Array.from({ length: elements }, (_, i) => [
  { address: `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`, port: i & 0xffff }, { base: i, count: 2, index: i & 0xffff },
] as const);
const keys = entries.map(([key]) => key);

const cases: readonly (readonly [string, () => void])[] = [
  ["set, one by one", () => entries.forEach(([key, value]) => map.set(key, value))],
  ["set, one by one, bytes alone", () => {
    for (let i = 0; i < elements; i++) {
      bytes.key.writeUInt32LE(i, 0);
      bytes.update(0);
    }
  }],
  ["get, one by one", () => keys.forEach((key) => map.get(key))],
  ["get, one by one, bytes alone", () => {
    for (let i = 0; i < elements; i++) {
      bytes.key.writeUInt32LE(i, 0);
      bytes.lookup();
    }
  }],
  ["setMany", () => map.setMany(entries)],
  ["entries", () => {
    for (const _ of map.entries()) { /* walked through */ }
  }],
  ["count", () => void map.count()],
  ["deleteMany", () => void map.deleteMany(keys)],
];

const times = new Map<string, number[]>(cases.map(([name]) => [name, []]));
for (let round = 0; round < rounds; round++) {
  for (const [name, run] of cases) {
    if (name === "entries" || name === "count" || name === "deleteMany") {
      map.deleteMany([...map.keys()]);
      map.setMany(entries);
    }
    const start = process.hrtime.bigint();
    run();
    times.get(name)!.push(Number(process.hrtime.bigint() - start) / elements);
  }
}
collection.close();

console.log(`${elements} elements, medians of ${rounds} rounds, Node ${process.version}`);
for (const [name, found] of times) {
  const sorted = found.sort((a, b) => a - b);
  console.log(`${name.padEnd(32)} ${sorted[rounds >> 1]!.toFixed(0).padStart(6)} ns each   (${sorted[0]!.toFixed(0)} to ${sorted.at(-1)!.toFixed(0)})`);
}
