import * as assert from "uvu/assert";
import { maps4, maps6, NO_SERVICE, type Maps } from "./index.ts";
import { counted } from "./testing/counters.ts";
import { BACKENDS, BACKENDS6, dataPathSuite, errnoOf, SERVICE, SERVICE6, type DataPath } from "./testing/index.ts";

const test = dataPathSuite("data path: counters", { options: { metrics: true, ipv6: true } });

const countersOf = (dataPath: DataPath, revNatIndex: number, { metrics }: Maps = maps4): Record<string, number> =>
  counted(dataPath.map(metrics).get(revNatIndex)!);

test("counts connects and datagrams sent to a backend, and translated replies", async ({ dataPath, client }) => {
  dataPath.setService(SERVICE, "tcp", BACKENDS, 11);
  dataPath.setService(SERVICE, "udp", BACKENDS, 12);
  for (let i = 0; i < 3; i++) await (await client.open("tcp")).connect(SERVICE);
  const socket = await client.open("udp");
  for (let i = 0; i < 5; i++) await socket.exchange("hello", SERVICE);
  assert.equal(countersOf(dataPath, 11), { translated: 3 });
  assert.equal(countersOf(dataPath, 12), { translated: 5, replies: 5 });
});

test("an IPv4 and an IPv6 service with one index have separate counters", async ({ dataPath, client }) => {
  dataPath.setService(SERVICE, "udp", BACKENDS, 5);
  dataPath.setService(SERVICE6, "udp", BACKENDS6, 5);
  await (await client.open("udp", 4)).exchange("hello", SERVICE);
  const socket = await client.open("udp", 6);
  for (let i = 0; i < 2; i++) await socket.exchange("hello", SERVICE6);
  await socket.exchange("hello", { address: `::ffff:${SERVICE.address}`, port: SERVICE.port });
  assert.equal(countersOf(dataPath, 5), { translated: 2, replies: 2 });
  assert.equal(countersOf(dataPath, 5, maps6), { translated: 2, replies: 2 });
});

test("counts refused calls, and replies for a removed service", async ({ dataPath, client }) => {
  dataPath.setService(SERVICE, "tcp", [], 13);
  dataPath.setService(SERVICE, "udp", BACKENDS, 14);
  assert.ok(await errnoOf((await client.open("tcp")).connect(SERVICE)));
  const socket = await client.open("udp");
  await socket.send("hello", SERVICE);
  assert.equal(countersOf(dataPath, 14), { translated: 1 });
  dataPath.removeService(SERVICE, "udp");
  await socket.receive();
  assert.equal(countersOf(dataPath, 13), { noBackend: 1 });
  assert.equal(countersOf(dataPath, NO_SERVICE), { reverseMisses: 1 }, "its own counters are deleted with it");
});

test("a call to a service without counters is translated as usual", async ({ dataPath, client }) => {
  dataPath.setService(SERVICE, "udp", BACKENDS, 15);
  dataPath.map(maps4.metrics).delete(15);
  const { port, address } = await (await client.open("udp")).exchange("hello", SERVICE);
  assert.equal({ port, address }, SERVICE);
  assert.not(dataPath.map(maps4.metrics).has(15), "programs create no counters");
});

test.run();
