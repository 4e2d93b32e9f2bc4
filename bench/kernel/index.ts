/**
 * `npm run bench:kernel`: nanoseconds per map operation through the typed handle, compared with plain bytes,
 * which is the system call and the way to it. The candidates take turns in every round, so that all run under
 * the same conditions. The results are medians of wall-clock time and of this process's processor time, which
 * is more reliable on a busy machine.
 *
 * The map resembles the load balancer's: from a struct of address and port to a struct of 12 bytes, in a hash
 * map. Needs root on Linux.
 *
 * Usage: npm run bench:kernel -- [ELEMENTS] [ROUNDS]
 */
import { load, be16, encodeValue, hash, ipv4, struct, u16, u32 } from "tsbpf";
import { linux } from "tsbpf/kernel";

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
  name: "bench",
  type: definition.type,
  keySize: definition.key.size,
  valueSize: definition.value.size,
  maxEntries: definition.maxEntries,
});
const entries = Array.from(
  { length: elements },
  (_, i) =>
    [
      { address: `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`, port: i & 0xffff },
      { base: i, count: 2, index: i & 0xffff },
    ] as const,
);
const keys = entries.map(([key]) => key);
const encoded = entries.map(
  ([key, value]) =>
    [Buffer.from(encodeValue(definition.key, key)), Buffer.from(encodeValue(definition.value, value))] as const,
);

const cases: readonly (readonly [string, () => void])[] = [
  ["set, one by one", () => entries.forEach(([key, value]) => map.set(key, value))],
  [
    "set, one by one, plain bytes",
    () => {
      for (const [key, value] of encoded) {
        key.copy(bytes.key);
        value.copy(bytes.value);
        bytes.update(0);
      }
    },
  ],
  ["get, one by one", () => keys.forEach((key) => map.get(key))],
  [
    "get, one by one, plain bytes",
    () => {
      for (const [key] of encoded) {
        key.copy(bytes.key);
        bytes.lookup();
      }
    },
  ],
  ["setMany", () => map.setMany(entries)],
  [
    "entries",
    () => {
      for (const _ of map.entries()) {
        /* only the walk */
      }
    },
  ],
  ["count", () => void map.count()],
  ["deleteMany", () => void map.deleteMany(keys)],
];

const times = new Map<string, { clock: number[]; processor: number[] }>(
  cases.map(([name]) => [name, { clock: [], processor: [] }]),
);
for (let round = 0; round < rounds; round++) {
  for (const [name, run] of cases) {
    if (name === "entries" || name === "count" || name === "deleteMany") {
      map.deleteMany([...map.keys()]);
      map.setMany(entries);
    }
    const usage = process.cpuUsage();
    const start = process.hrtime.bigint();
    run();
    times.get(name)!.clock.push(Number(process.hrtime.bigint() - start) / elements);
    const { user, system } = process.cpuUsage(usage);
    times.get(name)!.processor.push(((user + system) * 1000) / elements);
  }
}
collection.close();

console.log(`${elements} elements, medians of ${rounds} rounds, Node ${process.version}`);
const median = (values: number[]) =>
  values
    .sort((a, b) => a - b)
    [rounds >> 1]!.toFixed(0)
    .padStart(6);
console.log(`${"nanoseconds each".padEnd(32)}  clock  processor`);
for (const [name, { clock, processor }] of times)
  console.log(`${name.padEnd(32)} ${median(clock)}     ${median(processor)}`);
