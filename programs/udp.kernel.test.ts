import * as assert from "uvu/assert";
import { BACKENDS, dataPathSuite, endpoint, reverseEntry, SERVICE } from "./testing/index.ts";

const OTHER = { address: "100.0.0.2", port: 53 };

const test = dataPathSuite("data path: UDP");

test("sockets spread over the backends, and each keeps its own", async ({ dataPath, client }) => {
  dataPath.setService(SERVICE, "udp", BACKENDS);
  const seen = new Set<string>();
  const expected = [];
  // 40 sockets with consecutive cookies must not all get the same backend.
  for (let i = 0; i < 40; i++) {
    const socket = await client.open("udp");
    const { text, ...source } = await socket.exchange("hello", SERVICE);
    assert.equal(source, SERVICE);
    for (let again = 0; again < 3; again++) assert.equal(await socket.exchange("hello", SERVICE), { text, ...SERVICE });
    seen.add(text);
    expected.push(reverseEntry(socket, SERVICE, text));
  }
  assert.equal(seen, new Set(BACKENDS));
  assert.equal(dataPath.reverseEntries(), expected.sort());
});

test("a connected socket: replies and getpeername show the service", async ({ dataPath, client }) => {
  dataPath.setService(SERVICE, "udp", BACKENDS, 3);
  const socket = await client.open("udp");
  await socket.connect(SERVICE);
  assert.equal(await socket.peer(), SERVICE);
  const { text, ...source } = await socket.exchange("hello");
  assert.equal(source, SERVICE);
  assert.equal(dataPath.reverseEntries(), [reverseEntry(socket, SERVICE, text, 3)]);
  await socket.close();
  assert.equal(dataPath.reverseEntries(), []);
});

test("a connected socket may also send to another service by address", async ({ dataPath, client }) => {
  dataPath.setService(SERVICE, "udp", [BACKENDS[0]], 1);
  dataPath.setService(OTHER, "udp", [BACKENDS[1]], 2);
  const socket = await client.open("udp");
  await socket.connect(SERVICE);
  await socket.send("hello", OTHER);
  assert.equal(
    dataPath.reverseEntries(),
    [reverseEntry(socket, SERVICE, BACKENDS[0], 1), reverseEntry(socket, OTHER, BACKENDS[1], 2)].sort(),
  );
  // The kernel drops the other backend's answer: a connected socket receives only from its peer.
  assert.equal(await socket.exchange("hello"), { text: BACKENDS[0], ...SERVICE });
  assert.equal(await socket.peer(), SERVICE);
});

test("two services with one backend, on one socket: the reply comes from the service asked last", async ({
  dataPath,
  client,
}) => {
  dataPath.setService(SERVICE, "udp", [BACKENDS[0]], 1);
  dataPath.setService(OTHER, "udp", [BACKENDS[0]], 2);
  const socket = await client.open("udp");
  for (const [asked, revNatIndex] of [
    [SERVICE, 1],
    [OTHER, 2],
    [SERVICE, 1],
  ] as const) {
    assert.equal(await socket.exchange("hello", asked), { text: BACKENDS[0], ...asked });
    assert.equal(dataPath.reverseEntries(), [reverseEntry(socket, asked, BACKENDS[0], revNatIndex)]);
  }
});

test("a service and its backend's own address, on one socket", async ({ dataPath, client }) => {
  dataPath.setService(SERVICE, "udp", [BACKENDS[0]]);
  const socket = await client.open("udp");
  const backend = endpoint(BACKENDS[0]);
  assert.equal(await socket.exchange("hello", SERVICE), { text: BACKENDS[0], ...SERVICE });
  assert.equal(
    await socket.exchange("hello", backend),
    { text: BACKENDS[0], ...backend },
    "asked directly, it answers as itself",
  );
  assert.equal(dataPath.reverseEntries(), []);
  assert.equal(await socket.exchange("hello", SERVICE), { text: BACKENDS[0], ...SERVICE });
  assert.equal(dataPath.reverseEntries(), [reverseEntry(socket, SERVICE, BACKENDS[0])]);
});

test("UDP-Lite has services of its own", async ({ dataPath, client }) => {
  dataPath.setService(SERVICE, "udp", [BACKENDS[0]], 1);
  dataPath.setService(SERVICE, "udplite", [BACKENDS[1]], 2);
  // Unconnected only: the kernel runs no connect program for UDP-Lite.
  const socket = await client.openIfSupported("udplite", "UDP-Lite services");
  if (socket === undefined) return;
  await socket.send("hello", SERVICE);
  assert.equal(dataPath.reverseEntries(), [reverseEntry(socket, SERVICE, BACKENDS[1], 2)]);
  await socket.close();
  assert.equal(dataPath.reverseEntries(), []);
});

test.run();
