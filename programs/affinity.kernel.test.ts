import * as assert from "uvu/assert";
import { affinity } from "./index.ts";
import { BACKENDS, dataPathSuite, SERVICE, type SocketClient } from "./testing/index.ts";

const test = dataPathSuite("data path: session affinity", { options: { affinity: true } });

/** The backends that `count` connections reach. */
async function peers(client: SocketClient, count: number): Promise<Set<string>> {
  const found = new Set<string>();
  for (let i = 0; i < count; i++) {
    const socket = await client.open("tcp");
    await socket.connect(SERVICE);
    const { address, port } = await socket.peer();
    found.add(`${address}:${port}`);
    await socket.close();
  }
  return found;
}

test("a network namespace keeps its backend", async ({ dataPath, client }) => {
  dataPath.services.set(SERVICE, "tcp", BACKENDS, { revNatIndex: 3, affinityTimeout: 600 });
  const [backend, ...others] = await peers(client, 24);
  assert.equal(others, []);
  const kept = [...dataPath.map(affinity)]
    .filter(([key]) => key.revNatIndex === 3)
    .map(([, { address, port }]) => `${address}:${port}`);
  assert.equal(kept, [backend]);
});

test("all UDP sockets of a network namespace share its backend", async ({ dataPath, client }) => {
  dataPath.services.set(SERVICE, "udp", BACKENDS, { revNatIndex: 4, affinityTimeout: 600 });
  for (let i = 0; i < 12; i++) await (await client.open("udp")).exchange("hello", SERVICE);
  const backends = new Set(dataPath.reverseEntries().map((entry) => entry.match(/20\.0\.0\.\d/)![0]));
  assert.is(backends.size, 1, [...backends].join());
});

test("a service without a timeout has no affinity", async ({ dataPath, client }) => {
  dataPath.setService(SERVICE, "tcp", BACKENDS, 5);
  assert.is((await peers(client, 40)).size, BACKENDS.length);
});

test("after the timeout any backend may be chosen", async ({ dataPath, client }) => {
  dataPath.services.set(SERVICE, "tcp", BACKENDS, { revNatIndex: 6, affinityTimeout: 1 });
  await peers(client, 1);
  const [[key, value]] = [...dataPath.map(affinity)].filter(([key]) => key.revNatIndex === 6) as [
    [{ netnsCookie: bigint; revNatIndex: number }, { lastUsed: bigint; address: string; port: number }],
  ];
  const found = new Set<string>();
  for (let i = 0; i < 40; i++) {
    dataPath.map(affinity).set(key, { ...value, lastUsed: value.lastUsed - 2_000_000_000n });
    for (const peer of await peers(client, 1)) found.add(peer);
  }
  assert.is(found.size, BACKENDS.length);
});

test("a removed backend is forgotten, and its replacement kept", async ({ dataPath, client }) => {
  dataPath.services.set(SERVICE, "tcp", BACKENDS, { revNatIndex: 7, affinityTimeout: 600 });
  const [first] = await peers(client, 1);
  const other = BACKENDS.find((backend) => backend !== first)!;
  dataPath.services.set(SERVICE, "tcp", [other], { revNatIndex: 7, affinityTimeout: 600 });
  assert.equal([...(await peers(client, 1))], [other]);
  dataPath.services.set(SERVICE, "tcp", BACKENDS, { revNatIndex: 7, affinityTimeout: 600 });
  assert.equal([...(await peers(client, 24))], [other]);
});

test.run();
