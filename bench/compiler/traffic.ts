/**
 * Nanoseconds per run of the IPv4 programs: ours and clang's, each in its own cgroup, take turns on the same
 * traffic.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { filterWords, generation, services, serviceFilter, slots } from "../../programs/index.ts";
import { attach, load, type Collection, type Program } from "tsbpf";
import { linux } from "tsbpf/kernel";
import { runScriptIn, withCgroup } from "../../src/testing/index.ts";

const ROUNDS = 7;
const SERVICE = { address: "127.100.0.1", port: 5300 };
const UDP = 17;
const maxEntries = { services: 1024, slots: 4096, cilium_lb4_reverse_sk: 65_536 };

/** Datagrams to and fro on one socket, then sockets that connect, ask for their peer and close. */
const client = `
import { createSocket } from "node:dgram";
import { once } from "node:events";
const hot = createSocket("udp4");
for (let i = 0; i < 2000; i++) {
  hot.send("x", ${SERVICE.port}, "${SERVICE.address}");
  await once(hot, "message");
}
hot.close();
for (let i = 0; i < 1000; i++) {
  const socket = createSocket("udp4");
  socket.connect(${SERVICE.port}, "${SERVICE.address}");
  await once(socket, "connect");
  socket.remoteAddress();
  socket.close();
  await once(socket, "close");
}
console.log("true");
`;

/** The median nanoseconds per run of each set, by program, in the order of the sets. */
export async function measureRuns(
  sets: readonly (readonly Program[])[],
): Promise<ReadonlyMap<string, readonly number[]>> {
  const server = createSocket("udp4");
  server.on("message", (message, { port, address }) => server.send(message, port, address));
  server.bind(0, "127.0.0.1");
  await once(server, "listening");
  const statistics = linux.enableStatistics();
  try {
    return await withCollections(sets, async (places) => {
      for (const { collection } of places) fill(collection, server.address().port);
      const samples = new Map<string, number[][]>();
      for (let round = 0; round < ROUNDS; round++) {
        for (const [index, { collection, cgroup }] of places.entries()) {
          const before = counters(collection);
          await runScriptIn({ cgroup }, client);
          for (const [name, { runs, nanoseconds }] of counters(collection)) {
            const ran = runs - before.get(name)!.runs;
            if (ran === 0) continue;
            const lists = samples.get(name) ?? sets.map(() => []);
            lists[index]!.push((nanoseconds - before.get(name)!.nanoseconds) / ran);
            samples.set(name, lists);
          }
        }
      }
      return new Map([...samples].map(([name, lists]) => [name, lists.map(median)]));
    });
  } finally {
    statistics.close();
    server.close();
  }
}

interface Place {
  readonly collection: Collection;
  readonly cgroup: string;
}

async function withCollections<T>(
  [first, ...others]: readonly (readonly Program[])[],
  work: (places: readonly Place[]) => Promise<T>,
): Promise<T> {
  if (first === undefined) return work([]);
  return withCgroup(async (cgroup) => {
    using collection = load(first, { maxEntries });
    const attached = attach(collection, { cgroup });
    try {
      return await withCollections(others, (places) => work([{ collection, cgroup }, ...places]));
    } finally {
      attached.close();
    }
  });
}

function fill(collection: Collection, port: number): void {
  collection.map(slots).set(0, { address: "127.0.0.1", port, state: 0 });
  collection.map(serviceFilter).setMany([...filterWords([SERVICE])]);
  collection.map(services).set(
    { ...SERVICE, protocol: UDP, scope: 0 },
    {
      key: { ...SERVICE, protocol: UDP, scope: 0 },
      revNatIndex: 1,
      flags: 0,
      affinityTimeout: 0,
      range: { base: 0, count: 1 },
    },
  );
  collection.map(generation).set(0, 1);
}

function counters(collection: Collection): Map<string, { runs: number; nanoseconds: number }> {
  return new Map(
    [...collection.programs].map(([name, { fd }]) => {
      const { runCount, runTimeNs } = linux.programInfo(fd);
      return [name, { runs: Number(runCount), nanoseconds: Number(runTimeNs) }];
    }),
  );
}

const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!;
