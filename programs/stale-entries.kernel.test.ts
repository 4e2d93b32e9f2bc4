/** Whatever a socket does before it ends, the reverse map holds exactly the entries of open sockets. */
import { dirname } from "node:path";
import * as assert from "uvu/assert";
import { enterCgroup } from "../src/testing/index.ts";
import { flowNames, flowNumbers, OLDER_FLOWS, RECENT_FLOWS } from "./index.ts";
import { BACKENDS, dataPathSuite, endpoint, errnoOf, reverseEntry, SERVICE, type DataPath } from "./testing/index.ts";

/** More than a socket remembers. */
const MANY = RECENT_FLOWS + OLDER_FLOWS + 10;
/** Replies that surely fit into a socket's buffer. */
const BUFFERED = 150;
const manyBackends = Array.from({ length: MANY }, (_, i) => `20.0.0.1:${8001 + i}`);
const manyServices = Array.from({ length: MANY }, (_, i) => ({ address: `100.0.1.1`, port: 1000 + i }));
/** Besides `SERVICE`: another one whose backend answers, and one whose backend refuses TCP and UDP. */
const [OTHER, REFUSING] = [
  { address: "100.0.0.2", port: 80 },
  { address: "100.0.0.3", port: 80 },
];
const DIRECT = endpoint(BACKENDS[1]);

for (const [what, recentInReverseMap] of [
  ["all flows in the reverse map", true],
  ["only older flows in the reverse map", false],
] as const) {
  /** The entries that the reverse map holds, sorted. @param entries all flows of the socket, in order of use */
  const entered = (entries: readonly string[]): string[] =>
    (recentInReverseMap ? [...entries] : entries.slice(0, -RECENT_FLOWS)).sort();

  /** The same of many flows: a recent one that was an older one before keeps its entry. */
  const holds = (dataPath: DataPath, entries: readonly string[], message?: string): void => {
    const all = dataPath.reverseEntries();
    const needed = new Set(entered(entries));
    assert.equal(
      all.filter((entry) => needed.has(entry)),
      [...needed],
      message,
    );
    const allowed = new Set(entries);
    assert.equal(
      all.filter((entry) => !allowed.has(entry)),
      [],
      message,
    );
  };

  const test = dataPathSuite(`data path: no stale entry, ${what}`, {
    // With rememberStreams, TCP sockets have state to clean up too.
    options: { rememberStreams: true, recentInReverseMap },
    backends: { tcp: BACKENDS, udp: [...BACKENDS, ...manyBackends] },
  });

  test.before.each(({ dataPath }) => {
    assert.equal(dataPath.reverseEntries(), [], "the previous test left entries");
    for (const protocol of ["tcp", "udp"] as const) {
      dataPath.setService(SERVICE, protocol, [BACKENDS[0]], 1);
      dataPath.setService(OTHER, protocol, [BACKENDS[1]], 2);
      dataPath.setService(REFUSING, protocol, ["20.0.0.1:9"], 3);
    }
  });

  test("TCP, refused by the backend, blocking and not", async ({ dataPath, client }) => {
    for (const how of ["connect", "connectNonBlocking"] as const) {
      const socket = await client.open("tcp");
      assert.is(await errnoOf(socket[how](REFUSING)), "ECONNREFUSED");
      await socket.close();
      assert.equal(dataPath.reverseEntries(), [], how);
    }
  });

  test("TCP, refused, then connected to another service", async ({ dataPath, client }) => {
    const socket = await client.open("tcp");
    assert.is(await errnoOf(socket.connect(REFUSING)), "ECONNREFUSED");
    await socket.connect(OTHER);
    assert.equal(await socket.peer(), OTHER);
    await socket.close();
    assert.equal(dataPath.reverseEntries(), []);
  });

  test("UDP, refused by the backend", async ({ dataPath, client }) => {
    const socket = await client.open("udp");
    await socket.connect(REFUSING);
    assert.is(await errnoOf(socket.exchange("hello")), "ECONNREFUSED");
    await socket.close();
    assert.equal(dataPath.reverseEntries(), []);
  });

  test("UDP, connected to one service after another", async ({ dataPath, client }) => {
    const socket = await client.open("udp");
    for (const [service, backend] of [
      [SERVICE, BACKENDS[0]],
      [OTHER, BACKENDS[1]],
      [SERVICE, BACKENDS[0]],
    ] as const) {
      await socket.connect(service);
      assert.equal(await socket.peer(), service);
      assert.equal(await socket.exchange("hello"), { text: backend, ...service });
    }
    await socket.close();
    assert.equal(dataPath.reverseEntries(), []);
  });

  test("UDP, connected to a service, then to a non-service", async ({ dataPath, client }) => {
    const socket = await client.open("udp");
    await socket.connect(SERVICE);
    await socket.exchange("hello");
    await socket.connect(DIRECT);
    assert.equal(await socket.peer(), DIRECT);
    assert.equal(await socket.exchange("hello"), { text: BACKENDS[1], ...DIRECT });
    await socket.close();
    assert.equal(dataPath.reverseEntries(), []);
  });

  test("UDP, connected to a service, then to its backend directly", async ({ dataPath, client }) => {
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

  test("UDP, disconnected (AF_UNSPEC)", async ({ dataPath, client }) => {
    const socket = await client.open("udp");
    await socket.connect(SERVICE);
    await socket.exchange("hello");
    await socket.dissolve();
    assert.is(await errnoOf(socket.peer()), "ENOTCONN");
    assert.equal(await socket.exchange("hello", OTHER), { text: BACKENDS[1], ...OTHER });
    await socket.close();
    assert.equal(dataPath.reverseEntries(), []);
  });

  test("TCP, disconnected (AF_UNSPEC) and connected again", async ({ dataPath, client }) => {
    const socket = await client.open("tcp");
    await socket.connect(SERVICE);
    await socket.dissolve();
    await socket.connect(DIRECT);
    assert.equal(await socket.peer(), DIRECT, "the former service is forgotten");
    await socket.close();
    assert.equal(dataPath.reverseEntries(), []);
  });

  test("100 datagrams on one socket make one entry", async ({ dataPath, client }) => {
    const socket = await client.open("udp");
    for (let i = 0; i < 100; i++) await socket.exchange("hello", SERVICE);
    assert.equal(dataPath.reverseEntries(), entered([reverseEntry(socket, SERVICE, BACKENDS[0])]));
    await socket.close();
    assert.equal(dataPath.reverseEntries(), []);
  });

  // A socket stores 4 flows whole, names 256 older ones, and drops those named first.
  for (const [count, kept] of [
    [3, 3],
    [6, 6],
    [40, 40],
    [MANY, RECENT_FLOWS + OLDER_FLOWS],
  ] as const) {
    test(`one socket to ${count} services: replies of the last ${kept} come from their service`, async ({
      dataPath,
      client,
    }) => {
      const socket = await client.open("udp");
      const asked = manyServices
        .slice(0, count)
        .map((service, i) => ({ service, backend: manyBackends[i]!, revNatIndex: 100 + i }));
      asked.forEach(({ service, backend, revNatIndex }) => dataPath.setService(service, "udp", [backend], revNatIndex));
      for (const round of ["first", "second"]) {
        // Replies wait while more requests are sent, so most belong to older flows.
        const sources = new Map<string, string>();
        const receive = async (): Promise<void> => {
          const { text, address, port } = await socket.receive();
          sources.set(text, `${address}:${port}`);
        };
        for (const [i, { service }] of asked.entries()) {
          await socket.send("hello", service);
          if (i >= BUFFERED) await receive();
        }
        holds(
          dataPath,
          asked
            .slice(-kept)
            .map(({ service, backend, revNatIndex }) => reverseEntry(socket, service, backend, revNatIndex)),
          `${round} round`,
        );
        while (sources.size < count) await receive();
        for (const { service, backend } of asked.slice(-kept)) {
          assert.is(sources.get(backend), `${service.address}:${service.port}`, `reply of ${backend}, ${round} round`);
        }
      }
      await socket.close();
      assert.equal(dataPath.reverseEntries(), []);
      for (const map of [flowNames, flowNumbers]) assert.equal([...dataPath.map(map).keys()], []);
    });
  }

  test("a service moves to the backend of an older flow: its entry stays", async ({ dataPath, client }) => {
    const socket = await client.open("udp");
    const setUp = (i: number, backend = manyBackends[i]!) =>
      dataPath.setService(manyServices[i]!, "udp", [backend], 100 + i);
    for (let i = 0; i < 5; i++) {
      setUp(i);
      await socket.send("hello", manyServices[i]!);
    }
    // The flow to service 0 is an older one now. Move service 4, a recent flow, to its backend.
    setUp(4, manyBackends[0]);
    await socket.send("hello", manyServices[4]!);
    for (let i = 5; i < 5 + 35; i++) {
      setUp(i);
      await socket.send("hello", manyServices[i]!);
    }
    const entryOf = (i: number, backend = i) => reverseEntry(socket, manyServices[i]!, manyBackends[backend]!, 100 + i);
    const last = Array.from({ length: 35 }, (_, i) => entryOf(5 + i));
    holds(dataPath, [entryOf(1), entryOf(2), entryOf(3), entryOf(4, 0), ...last]);
    await socket.close();
    assert.equal(dataPath.reverseEntries(), []);
  });

  test("a socket whose process left the cgroup is still balanced and cleaned up", async ({ dataPath, client }) => {
    const socket = await client.open("udp");
    await socket.exchange("hello", SERVICE);
    enterCgroup(dirname(dataPath.place.cgroup), client.pid);
    assert.equal(await socket.exchange("hello", OTHER), { text: BACKENDS[1], ...OTHER });
    assert.is(dataPath.reverseEntries().length, recentInReverseMap ? 2 : 0);
    await socket.close();
    assert.equal(dataPath.reverseEntries(), []);
  });

  test("5,000 sockets, used unconnected and closed, leave nothing", async ({ dataPath, client }) => {
    assert.equal(await client.visit("udp", 5_000, SERVICE), { [`${SERVICE.address}:${SERVICE.port}`]: 5_000 });
    assert.equal(dataPath.reverseEntries(), []);
  });

  test.run();
}

const full = dataPathSuite("data path: a reverse map too small", { reverseEntries: 256 });

full("every open socket is answered by the service, and closing them leaves no entry", async ({ dataPath, client }) => {
  dataPath.setService(SERVICE, "udp", BACKENDS);
  const sockets = [];
  for (let i = 0; i < 1_000; i++) {
    const socket = await client.open("udp");
    await socket.send("hello", SERVICE);
    sockets.push(socket);
  }
  const kept = dataPath.reverseEntries().length;
  assert.ok(kept > 0 && kept <= 256, `${kept} entries`);
  for (const socket of sockets) {
    const { address, port } = await socket.receive();
    assert.equal({ address, port }, SERVICE);
  }
  await client.kill();
  assert.equal(dataPath.reverseEntries(), []);
});

full.run();
