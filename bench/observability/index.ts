/**
 * `npm run bench:observability`: the cost of counters and events compared with plain programs, in one run with
 * the sides taking turns; and the cost of the element count of a large map, by the kernel's count and by a
 * walk. Needs root on Linux and gcc.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { load, readRingBuffer, decodeValue, lruHash, u32, type Collection } from "tsbpf";
import { enableStatistics, kernelElementCount, possibleCpus } from "tsbpf/kernel";
import {
  Counters,
  events,
  loadBalancerPrograms,
  maps4,
  defaultOptions,
  type DataPathOptions,
} from "../../programs/index.ts";
import { needKernel, runBench } from "../command.ts";
import { balancerSizes, writeToBalancer } from "../datapath/balancer.ts";
import { compileClient } from "../datapath/client.ts";
import { median, runTask } from "../datapath/measure.ts";
import { withPrograms, type Place } from "../datapath/place.ts";
import { servicesOf } from "../datapath/services.ts";

const ROUNDS = 15;
const ELEMENTS = 1_000_000;

interface Side {
  readonly side: string;
  readonly options: Partial<DataPathOptions>;
  /** Called before the first round; the result is called after each round. */
  readonly prepare?: (collection: Collection) => () => void;
}

const sides: readonly Side[] = [
  { side: "plain", options: {} },
  {
    side: "with options.metrics",
    options: { metrics: true },
    prepare(collection) {
      const zero = new Array(possibleCpus()).fill(decodeValue(Counters, new Uint8Array(Counters.size)));
      collection.map(maps4.metrics).setMany(servicesOf(1).map(({ index }) => [index, zero] as const));
      return () => {};
    },
  },
  {
    side: "with a monitor",
    options: { events: true },
    prepare(collection) {
      // The ring buffer holds a round's events, since the measurement includes that none is lost.
      const reader = readRingBuffer(events, collection.map(events).fd);
      return () => {
        if (reader.read().length === 0) throw new Error("no events arrived");
      };
    },
  },
];

const command = new Command("bench:observability")
  .description("Measures the cost of counters and events for a datagram and its answer, and of a map's element count.")
  .action(run);
await runBench(command);

async function run(): Promise<void> {
  needKernel();
  const directory = mkdtempSync(join(tmpdir(), "tsbpf-observability-"));
  try {
    await withSides(compileClient(directory), sides, [], measureSides);
  } finally {
    rmSync(directory, { recursive: true });
  }
  measureCounts();
}

interface ReadySide {
  readonly side: string;
  readonly place: Place;
  readonly afterRound: () => void;
}

function withSides(
  executable: string,
  left: readonly Side[],
  ready: readonly ReadySide[],
  work: (sides: readonly ReadySide[]) => Promise<void>,
): Promise<void> {
  const [first, ...rest] = left;
  if (first === undefined) return work(ready);
  const { side, options, prepare } = first;
  const programs = loadBalancerPrograms({ ...defaultOptions, ...options }).map((source) => source.compile());
  const setup = { executable, services: 1 };
  return withPrograms(setup, { side, programs, sizes: balancerSizes, write: writeToBalancer }, (place) =>
    withSides(
      executable,
      rest,
      [...ready, { side, place, afterRound: prepare?.(place.collection!) ?? (() => {}) }],
      work,
    ),
  );
}

async function measureSides(ready: readonly ReadySide[]): Promise<void> {
  using _statistics = enableStatistics();
  const samples = new Map(ready.map(({ side }) => [side, { sendmsg4: [] as number[], recvmsg4: [] as number[] }]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const { side, place, afterRound } of ready) {
      const { programs } = await runTask({ place, operation: "exchange", target: "service" }, 1, 1);
      for (const name of ["sendmsg4", "recvmsg4"] as const) samples.get(side)![name].push(programs.get(name)!);
      afterRound();
    }
  }
  process.stdout.write(`a datagram and its answer on one socket, nanoseconds a run, medians of ${ROUNDS} rounds:\n`);
  for (const [side, { sendmsg4, recvmsg4 }] of samples) {
    process.stdout.write(
      `  ${side.padEnd(24)}sendmsg4 ${median(sendmsg4).toFixed(0).padStart(4)}  recvmsg4 ` +
        `${median(recvmsg4).toFixed(0).padStart(4)}\n`,
    );
  }
}

function measureCounts(): void {
  const definition = lruHash("bench_elements", { key: u32, value: u32, maxEntries: 2 * ELEMENTS });
  using collection = load([], { maps: [definition] });
  const map = collection.map(definition);
  const milliseconds = (work: () => void): string =>
    median(
      Array.from({ length: 7 }, () => {
        const begin = process.hrtime.bigint();
        work();
        return Number(process.hrtime.bigint() - begin) / 1e6;
      }),
    ).toFixed(2);
  // The kernel's BTF is read once, before the first count.
  if (kernelElementCount(definition, map.fd) === undefined) {
    process.stdout.write("this kernel has no count of a map's elements\n");
    return;
  }
  process.stdout.write("how many elements an LRU map holds, milliseconds, medians of 7:\n");
  for (const elements of [0, ELEMENTS]) {
    map.setMany(Array.from({ length: elements }, (_, i) => [i, i] as const));
    const [kept, walked] = [kernelElementCount(definition, map.fd), map.count()];
    if (kept !== walked) throw new Error(`the kernel counts ${kept}, and there are ${walked}`);
    process.stdout.write(
      `  of ${walked.toLocaleString("en-GB")}: by the kernel's count ` +
        `${milliseconds(() => kernelElementCount(definition, map.fd))}, walking ${milliseconds(() => map.count())}\n`,
    );
  }
}
