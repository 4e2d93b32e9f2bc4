import * as assert from "uvu/assert";
import { metrics } from "./index.ts";
import { BACKENDS, dataPathSuite, errnoOf, SERVICE, type DataPath } from "./testing/index.ts";

const test = dataPathSuite("data path: counters", { options: { metrics: true } });

/** A service's counters, over all CPUs, those that are not 0. */
function counted(dataPath: DataPath, revNatIndex: number): Record<string, number> {
  const perCpu = dataPath.map(metrics).get(revNatIndex)!;
  const sums: Record<string, number> = {};
  for (const counters of perCpu) {
    for (const [name, value] of Object.entries(counters)) {
      if (value > 0n) sums[name] = (sums[name] ?? 0) + Number(value);
    }
  }
  return sums;
}

test("connects and datagrams are counted when they are sent to a backend, replies when they are translated", async ({ dataPath, client }) => {
  dataPath.setService(SERVICE, "tcp", BACKENDS, 11);
  dataPath.setService(SERVICE, "udp", BACKENDS, 12);
  for (let i = 0; i < 3; i++) await (await client.open("tcp")).connect(SERVICE);
  const socket = await client.open("udp");
  for (let i = 0; i < 5; i++) await socket.exchange("hello", SERVICE);
  assert.equal(counted(dataPath, 11), { translated: 3 });
  assert.equal(counted(dataPath, 12), { translated: 5, replies: 5 });
});

test("refused calls, and replies whose service is gone", async ({ dataPath, client }) => {
  dataPath.setService(SERVICE, "tcp", [], 13);
  dataPath.setService(SERVICE, "udp", BACKENDS, 14);
  assert.ok(await errnoOf((await client.open("tcp")).connect(SERVICE)));
  const socket = await client.open("udp");
  await socket.send("hello", SERVICE);
  dataPath.removeService(SERVICE, "udp");
  await socket.receive();
  assert.equal(counted(dataPath, 13), { noBackend: 1 });
  assert.equal(counted(dataPath, 14), { translated: 1, reverseMisses: 1 });
});

test.run();
