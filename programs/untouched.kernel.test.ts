import * as assert from "uvu/assert";
import { BACKENDS, dataPathSuite, endpoint, errnoOf, reverseEntry, SERVICE } from "./testing/index.ts";

const test = dataPathSuite("data path: destinations that are not services", {
  addresses: ["20.0.0.1", "20.0.0.2", SERVICE.address],
  backends: { tcp: [...BACKENDS, `${SERVICE.address}:81`], udp: [...BACKENDS, `${SERVICE.address}:81`] },
});
const GET = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
/** The service's address at a port without a service. */
const BESIDE = { ...SERVICE, port: 81 };

test("a non-service destination is untouched: answers, replies and getpeername are its own", async ({
  dataPath,
  client,
}) => {
  for (const protocol of ["tcp", "udp"] as const) dataPath.setService(SERVICE, protocol, [BACKENDS[0]]);
  for (const destination of [endpoint(BACKENDS[1]), BESIDE]) {
    const text = `${destination.address}:${destination.port}`;
    const tcp = await client.open("tcp");
    await tcp.connect(destination);
    assert.equal(await tcp.peer(), destination);
    assert.is((await tcp.exchange(GET)).text, text);

    const udp = await client.open("udp");
    assert.equal(await udp.exchange("hello", destination), { text, ...destination });

    const connected = await client.open("udp");
    await connected.connect(destination);
    assert.equal(await connected.peer(), destination);
    assert.equal(await connected.exchange("hello"), { text, ...destination });
  }
  assert.equal(dataPath.reverseEntries(), []);
});

test("a socket that asks a backend directly gets its replies, whatever other sockets do", async ({
  dataPath,
  client,
}) => {
  dataPath.setService(SERVICE, "udp", [BACKENDS[0]]);
  const [through, direct] = [await client.open("udp"), await client.open("udp")];
  assert.equal(await through.exchange("hello", SERVICE), { text: BACKENDS[0], ...SERVICE });
  assert.equal(await direct.exchange("hello", endpoint(BACKENDS[0])), { text: BACKENDS[0], ...endpoint(BACKENDS[0]) });
  assert.equal(dataPath.reverseEntries(), [reverseEntry(through, SERVICE, BACKENDS[0])]);
});

test("a TCP and a UDP service may share an address and port", async ({ dataPath, client }) => {
  dataPath.setService(SERVICE, "tcp", [BACKENDS[0]], 1);
  dataPath.setService(SERVICE, "udp", [BACKENDS[1]], 2);
  const udp = await client.open("udp");
  assert.equal(await udp.exchange("hello", SERVICE), { text: BACKENDS[1], ...SERVICE });
  const tcp = await client.open("tcp");
  await tcp.connect(SERVICE);
  assert.is((await tcp.exchange(GET)).text, BACKENDS[0]);

  dataPath.removeService(SERVICE, "udp");
  const connected = await client.open("udp");
  await connected.connect(SERVICE);
  assert.is(await errnoOf(connected.exchange("hello")), "ECONNREFUSED", "no UDP service any more");
  const another = await client.open("tcp");
  await another.connect(SERVICE);
  assert.is((await another.exchange(GET)).text, BACKENDS[0]);
});

test("without IPv6, an IPv6 socket reaches the mapped address itself: nothing translates its replies", async ({
  dataPath,
  client,
}) => {
  for (const protocol of ["tcp", "udp"] as const) dataPath.setService(BESIDE, protocol, [BACKENDS[0]]);
  const mapped = { ...BESIDE, address: `::ffff:${BESIDE.address}` };
  const text = `${BESIDE.address}:${BESIDE.port}`;
  const udp = await client.open("udp", 6);
  assert.equal(await udp.exchange("hello", mapped), { text, ...mapped });
  await udp.connect(mapped);
  assert.equal(await udp.exchange("hello"), { text, ...mapped });
  const tcp = await client.open("tcp", 6);
  await tcp.connect(mapped);
  assert.is((await tcp.exchange(GET)).text, text);
  assert.equal(dataPath.reverseEntries(), []);
});

test("port 0 is never a service, and fails as without programs", async ({ dataPath, client }) => {
  for (const protocol of ["tcp", "udp"] as const) dataPath.setService(SERVICE, protocol, BACKENDS);
  const nowhere = { ...SERVICE, port: 0 };
  assert.is(await errnoOf((await client.open("tcp")).connect(nowhere)), "ECONNREFUSED");
  assert.is(await errnoOf((await client.open("udp")).send("hello", nowhere)), "EINVAL");
  assert.equal(dataPath.reverseEntries(), []);
});

test("a protocol without a service passes: UDP-Lite beside a UDP service", async ({ dataPath, client }) => {
  dataPath.setService(SERVICE, "udp", BACKENDS);
  const socket = await client.openIfSupported("udplite", "UDP-Lite beside a UDP service");
  if (socket === undefined) return;
  await socket.send("hello", SERVICE);
  assert.equal(dataPath.reverseEntries(), []);
});

test.run();
