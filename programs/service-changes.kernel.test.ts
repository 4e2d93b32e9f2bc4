/** Open sockets while their service changes. */
import * as assert from "uvu/assert";
import {
  BACKENDS,
  dataPathSuite,
  endpoint,
  reverseEntry,
  SERVICE,
  type ClientSocket,
  type DataPath,
} from "./testing/index.ts";

const THIRD = "20.0.0.2:81";
const test = dataPathSuite("data path: changing services", {
  options: { rememberStreams: true },
  backends: { tcp: BACKENDS, udp: [...BACKENDS, THIRD] },
});

/** Sends a datagram to the service and returns the backend that answers. */
async function asking(dataPath: DataPath, socket: ClientSocket): Promise<string> {
  const { text, ...source } = await socket.exchange("hello", SERVICE);
  assert.equal(source, SERVICE);
  assert.equal(dataPath.reverseEntries(), [reverseEntry(socket, SERVICE, text)]);
  return text;
}

test("backend removed: the next datagram goes to a remaining one", async ({ dataPath, client }) => {
  dataPath.setService(SERVICE, "udp", BACKENDS);
  const socket = await client.open("udp");
  const first = await asking(dataPath, socket);
  const remaining = BACKENDS.find((backend) => backend !== first)!;
  dataPath.setService(SERVICE, "udp", [remaining]);
  assert.equal(await socket.exchange("hello", SERVICE), { text: remaining, ...SERVICE });
  assert.equal(
    dataPath.reverseEntries(),
    [reverseEntry(socket, SERVICE, remaining)],
    "the old backend's entry is deleted",
  );
  await socket.close();
  assert.equal(dataPath.reverseEntries(), []);
});

test("backend removed: the answer to an earlier datagram still comes from the service", async ({
  dataPath,
  client,
}) => {
  dataPath.setService(SERVICE, "udp", BACKENDS);
  const socket = await client.open("udp");
  const first = await asking(dataPath, socket);
  await socket.send("hello", SERVICE);
  dataPath.setService(
    SERVICE,
    "udp",
    BACKENDS.filter((backend) => backend !== first),
  );
  assert.equal(await socket.receive(), { text: first, ...SERVICE });
});

test("other backends added and removed: each socket keeps its own, connected or not", async ({ dataPath, client }) => {
  dataPath.setService(SERVICE, "udp", [BACKENDS[0]]);
  const sockets = [];
  // Ten sockets that chose anew would not all choose the same backend.
  for (let i = 0; i < 10; i++) sockets.push(await client.open("udp"));
  const connected = await client.open("udp");
  await connected.connect(SERVICE);
  for (const backends of [[BACKENDS[0]], [BACKENDS[1], BACKENDS[0], THIRD], [THIRD, BACKENDS[0]], [BACKENDS[0]]]) {
    dataPath.setService(SERVICE, "udp", backends);
    for (const socket of sockets)
      assert.equal(await socket.exchange("hello", SERVICE), { text: BACKENDS[0], ...SERVICE });
    assert.equal(await connected.exchange("hello"), { text: BACKENDS[0], ...SERVICE });
  }
  assert.equal(
    dataPath.reverseEntries(),
    [...sockets, connected].map((socket) => reverseEntry(socket, SERVICE, BACKENDS[0])).sort(),
  );
});

test("200 changes: every answer comes from a backend that the service has at the time of the call", async ({
  dataPath,
  client,
}) => {
  const all = [...BACKENDS, THIRD];
  const socket = await client.open("udp");
  for (let i = 0; i < 200; i++) {
    // Cycles through every non-empty set of backends.
    const backends = all.filter((_, bit) => ((i % 7) + 1) & (1 << bit));
    dataPath.setService(SERVICE, "udp", backends);
    const { text, ...source } = await socket.exchange("hello", SERVICE);
    assert.equal(source, SERVICE);
    assert.ok(backends.includes(text), `${text} answered; backends are ${backends.join(", ")}`);
    assert.equal(dataPath.reverseEntries(), [reverseEntry(socket, SERVICE, text)]);
  }
});

test("service removed: an answer comes from its backend, and the entry is deleted", async ({ dataPath, client }) => {
  dataPath.setService(SERVICE, "udp", BACKENDS);
  const socket = await client.open("udp");
  const backend = await asking(dataPath, socket);
  await socket.send("hello", SERVICE);
  dataPath.removeService(SERVICE, "udp");
  assert.equal(await socket.receive(), { text: backend, ...endpoint(backend) });
  assert.equal(dataPath.reverseEntries(), []);
});

test("replaced by a service on the same address: an answer of the old one comes from its backend", async ({
  dataPath,
  client,
}) => {
  dataPath.setService(SERVICE, "udp", [BACKENDS[0]], 1);
  const socket = await client.open("udp");
  await asking(dataPath, socket);
  await socket.send("hello", SERVICE);
  dataPath.setService(SERVICE, "udp", [BACKENDS[1]], 2);
  assert.equal(await socket.receive(), { text: BACKENDS[0], ...endpoint(BACKENDS[0]) });
  assert.equal(dataPath.reverseEntries(), []);
  assert.equal(await socket.exchange("hello", SERVICE), { text: BACKENDS[1], ...SERVICE });
  assert.equal(dataPath.reverseEntries(), [reverseEntry(socket, SERVICE, BACKENDS[1], 2)]);
});

test("service of an older flow removed: the answer comes from its backend, and the entry is deleted", async ({
  dataPath,
  client,
}) => {
  const socket = await client.open("udp");
  dataPath.setService(SERVICE, "udp", [BACKENDS[0]]);
  await socket.send("hello", SERVICE);
  // Four more flows make it an older one.
  for (let i = 0; i < 4; i++) {
    const service = { address: "100.0.0.2", port: 1000 + i };
    dataPath.setService(service, "udp", [`20.0.0.1:${1000 + i}`], 10 + i);
    await socket.send("hello", service);
  }
  assert.is(dataPath.reverseEntries().length, 5);
  dataPath.removeService(SERVICE, "udp");
  assert.equal(await socket.receive(), { text: BACKENDS[0], ...endpoint(BACKENDS[0]) });
  assert.is(dataPath.reverseEntries().length, 4);
  await socket.close();
  assert.equal(dataPath.reverseEntries(), []);
});

test("service removed and added again: the socket is balanced again", async ({ dataPath, client }) => {
  dataPath.setService(SERVICE, "udp", [BACKENDS[0]]);
  const socket = await client.open("udp");
  await asking(dataPath, socket);
  dataPath.removeService(SERVICE, "udp");
  dataPath.setService(SERVICE, "udp", [BACKENDS[1]]);
  assert.equal(await socket.exchange("hello", SERVICE), { text: BACKENDS[1], ...SERVICE });
  assert.equal(dataPath.reverseEntries(), [reverseEntry(socket, SERVICE, BACKENDS[1])]);
});

test("a TCP connection outlives the removal of its backend and of the service", async ({ dataPath, client }) => {
  dataPath.setService(SERVICE, "tcp", [BACKENDS[0]]);
  const socket = await client.open("tcp");
  await socket.connect(SERVICE);
  const ask = async () => (await socket.exchange("GET / HTTP/1.1\r\nHost: test\r\n\r\n")).text;
  assert.is(await ask(), BACKENDS[0]);
  dataPath.setService(SERVICE, "tcp", [BACKENDS[1]]);
  assert.is(await ask(), BACKENDS[0]);
  assert.equal(await socket.peer(), SERVICE);
  dataPath.removeService(SERVICE, "tcp");
  assert.is(await ask(), BACKENDS[0]);
  assert.equal(await socket.peer(), endpoint(BACKENDS[0]), "getpeername does not return a removed service");
});

test.run();
