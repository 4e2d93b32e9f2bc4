/**
 * No stale entry, ever: whatever a socket does and however it ends, the reverse
 * map holds the entries of open sockets, and no others.
 */
import * as assert from "uvu/assert";
import { runIn } from "../src/testing/index.ts";
import { BACKENDS, dataPathSuite, endpoint, errnoOf, reverseEntry, SERVICE, type ClientSocket, type DataPath } from "./testing/index.ts";

const MANY = 50;
const manyBackends = Array.from({ length: MANY }, (_, i) => `20.0.0.1:${8001 + i}`);
const manyServices = Array.from({ length: MANY }, (_, i) => ({ address: `100.0.1.${i + 1}`, port: 53 }));
/** A service whose backend answers, another one, and one whose backend refuses TCP and UDP. */
const [OTHER, REFUSING] = [{ address: "100.0.0.2", port: 80 }, { address: "100.0.0.3", port: 80 }];
const DIRECT = endpoint(BACKENDS[1]);

const test = dataPathSuite("data path: no stale entry", {
  // Streams too have something to remember, and so something to forget.
  options: { rememberStreams: true },
  backends: { tcp: BACKENDS, udp: [...BACKENDS, ...manyBackends] },
});

test.before.each(({ dataPath }) => {
  assert.equal(dataPath.reverseEntries(), [], "the test before has left something");
  for (const protocol of ["tcp", "udp"] as const) {
    dataPath.setService(SERVICE, protocol, [BACKENDS[0]], 1);
    dataPath.setService(OTHER, protocol, [BACKENDS[1]], 2);
    dataPath.setService(REFUSING, protocol, ["20.0.0.1:9"], 3);
  }
});

const GET = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

/** The ways to talk to a service, each with whether replies need an entry of the socket in the reverse map. */
const uses = [
  ["TCP", "tcp", false, async (socket) => {
    await socket.connect(SERVICE);
    assert.is((await socket.exchange(GET)).text, BACKENDS[0]);
  }],
  ["connected UDP", "udp", true, async (socket) => {
    await socket.connect(SERVICE);
    assert.equal(await socket.exchange("hello"), { text: BACKENDS[0], ...SERVICE });
  }],
  ["unconnected UDP", "udp", true, async (socket) => {
    assert.equal(await socket.exchange("hello", SERVICE), { text: BACKENDS[0], ...SERVICE });
  }],
] as const satisfies readonly (readonly [string, "tcp" | "udp", boolean, (socket: ClientSocket) => Promise<void>])[];

/** Aborts a socket as an administrator does; false where the kernel cannot (CONFIG_INET_DIAG_DESTROY). */
async function abort({ place }: DataPath, kind: "tcp" | "udp", localPort: number): Promise<boolean> {
  // `ss` lists what it has closed; a kernel that cannot close says so on standard error.
  const { stdout, stderr } = await runIn(place, "ss", "--kill", `--${kind}`, "--all", "--numeric", `sport = :${localPort}`);
  if (stderr.includes("not supported")) return false;
  assert.match(stdout, `:${localPort}`);
  return true;
}

for (const [name, kind, entered, use] of uses) {
  const entriesOf = (socket: ClientSocket) => (entered ? [reverseEntry(socket, SERVICE, BACKENDS[0])] : []);

  test(`${name}, closed`, async ({ dataPath, client }) => {
    const socket = await client.open(kind);
    await use(socket);
    assert.equal(dataPath.reverseEntries(), entriesOf(socket));
    await socket.close();
    assert.equal(dataPath.reverseEntries(), []);
  });

  test(`${name}, the process killed`, async ({ dataPath, client }) => {
    const sockets = [];
    for (let i = 0; i < 10; i++) {
      const socket = await client.open(kind);
      await use(socket);
      sockets.push(socket);
    }
    assert.equal(dataPath.reverseEntries(), sockets.flatMap(entriesOf).sort());
    await client.kill();
    assert.equal(dataPath.reverseEntries(), []);
  });

  test(`${name}, aborted from outside`, async ({ dataPath, client }) => {
    const socket = await client.open(kind);
    await use(socket);
    if (!(await abort(dataPath, kind, await socket.localPort()))) {
      process.stderr.write(`SKIPPED, "${name}, aborted from outside": this kernel cannot close sockets (CONFIG_INET_DIAG_DESTROY)\n`);
      return;
    }
    await socket.close();
    assert.equal(dataPath.reverseEntries(), []);
  });

  test(`${name}, duplicated: the last descriptor counts`, async ({ dataPath, client }) => {
    const socket = await client.open(kind);
    await use(socket);
    const duplicate = await socket.duplicate();
    await socket.close();
    assert.equal(dataPath.reverseEntries(), entriesOf(duplicate));
    if (kind === "udp") assert.is((await duplicate.exchange("hello", SERVICE)).address, SERVICE.address);
    await duplicate.close();
    assert.equal(dataPath.reverseEntries(), []);
  });
}

test("TCP that the backend refuses, blocking and not", async ({ dataPath, client }) => {
  for (const how of ["connect", "connectNonBlocking"] as const) {
    const socket = await client.open("tcp");
    assert.is(await errnoOf(socket[how](REFUSING)), "ECONNREFUSED");
    await socket.close();
    assert.equal(dataPath.reverseEntries(), [], how);
  }
});

test("TCP that is refused, and then connects to another service", async ({ dataPath, client }) => {
  const socket = await client.open("tcp");
  assert.is(await errnoOf(socket.connect(REFUSING)), "ECONNREFUSED");
  await socket.connect(OTHER);
  assert.equal(await socket.peer(), OTHER);
  await socket.close();
  assert.equal(dataPath.reverseEntries(), []);
});

test("UDP that the backend refuses", async ({ dataPath, client }) => {
  const socket = await client.open("udp");
  await socket.connect(REFUSING);
  assert.is(await errnoOf(socket.exchange("hello")), "ECONNREFUSED");
  await socket.close();
  assert.equal(dataPath.reverseEntries(), []);
});

test("UDP, connected to one service after another", async ({ dataPath, client }) => {
  const socket = await client.open("udp");
  for (const [service, backend] of [[SERVICE, BACKENDS[0]], [OTHER, BACKENDS[1]], [SERVICE, BACKENDS[0]]] as const) {
    await socket.connect(service);
    assert.equal(await socket.peer(), service);
    assert.equal(await socket.exchange("hello"), { text: backend, ...service });
  }
  await socket.close();
  assert.equal(dataPath.reverseEntries(), []);
});

test("UDP, connected to a service and then to what is none", async ({ dataPath, client }) => {
  const socket = await client.open("udp");
  await socket.connect(SERVICE);
  await socket.exchange("hello");
  await socket.connect(DIRECT);
  assert.equal(await socket.peer(), DIRECT);
  assert.equal(await socket.exchange("hello"), { text: BACKENDS[1], ...DIRECT });
  await socket.close();
  assert.equal(dataPath.reverseEntries(), []);
});

test("UDP, connected to a service and then to its backend directly", async ({ dataPath, client }) => {
  const backend = endpoint(BACKENDS[0]);
  const socket = await client.open("udp");
  await socket.connect(SERVICE);
  await socket.exchange("hello");
  await socket.connect(backend);
  assert.equal(await socket.peer(), backend);
  assert.equal(await socket.exchange("hello"), { text: BACKENDS[0], ...backend });
  await socket.close();
  assert.equal(dataPath.reverseEntries(), []);
});

test("UDP, its connection dissolved (AF_UNSPEC)", async ({ dataPath, client }) => {
  const socket = await client.open("udp");
  await socket.connect(SERVICE);
  await socket.exchange("hello");
  await socket.dissolve();
  assert.is(await errnoOf(socket.peer()), "ENOTCONN");
  assert.equal(await socket.exchange("hello", OTHER), { text: BACKENDS[1], ...OTHER });
  await socket.close();
  assert.equal(dataPath.reverseEntries(), []);
});

test("TCP, its connection dissolved (AF_UNSPEC) and made anew", async ({ dataPath, client }) => {
  const socket = await client.open("tcp");
  await socket.connect(SERVICE);
  await socket.dissolve();
  await socket.connect(DIRECT);
  assert.equal(await socket.peer(), DIRECT, "the former service is forgotten");
  await socket.close();
  assert.equal(dataPath.reverseEntries(), []);
});

test("100 datagrams on one socket are one entry", async ({ dataPath, client }) => {
  const socket = await client.open("udp");
  for (let i = 0; i < 100; i++) await socket.exchange("hello", SERVICE);
  assert.equal(dataPath.reverseEntries(), [reverseEntry(socket, SERVICE, BACKENDS[0])]);
  await socket.close();
  assert.equal(dataPath.reverseEntries(), []);
});

// 4 flows of a socket are kept whole, 32 older ones in the reverse map alone; of more, those used longest ago are given up.
for (const [count, kept] of [[3, 3], [6, 6], [36, 36], [MANY, 36]] as const) {
  test(`one socket to ${count} services: replies of the last ${kept} come from their service`, async ({ dataPath, client }) => {
    const socket = await client.open("udp");
    const asked = manyServices.slice(0, count).map((service, i) => ({ service, backend: manyBackends[i]!, revNatIndex: 100 + i }));
    asked.forEach(({ service, backend, revNatIndex }) => dataPath.setService(service, "udp", [backend], revNatIndex));
    for (const round of ["first", "second"]) {
      for (const { service } of asked) await socket.send("hello", service);
      assert.equal(dataPath.reverseEntries(), asked.slice(-kept).map(
        ({ service, backend, revNatIndex }) => reverseEntry(socket, service, backend, revNatIndex)).sort(), `${round} round`);
      // All replies are taken after all were sent: when they are, most are of flows that are no longer recent.
      const sources = new Map<string, string>();
      for (let i = 0; i < count; i++) {
        const { text, address, port } = await socket.receive();
        sources.set(text, `${address}:${port}`);
      }
      for (const { service, backend } of asked.slice(-kept)) {
        assert.is(sources.get(backend), `${service.address}:${service.port}`, `the reply of ${backend} in the ${round} round`);
      }
    }
    await socket.close();
    assert.equal(dataPath.reverseEntries(), []);
  });
}

test("5,000 sockets, used unconnected and closed, leave nothing", async ({ dataPath, client }) => {
  assert.equal(await client.visit("udp", 5_000, SERVICE), { [`${SERVICE.address}:${SERVICE.port}`]: 5_000 });
  assert.equal(dataPath.reverseEntries(), []);
});

test.run();
