import * as assert from "uvu/assert";
import { maps4, maps6, ServiceFlag, type Maps } from "../../../programs/index.ts";
import { startBackends } from "../../../programs/testing/backend-server.ts";
import {
  BACKENDS,
  BACKENDS6,
  dataPathSuite,
  endpoint,
  errnoOf,
  SERVICE,
  SERVICE6,
  SocketClient,
  type ClientSocket,
  type DataPath,
  type Endpoint,
} from "../../../programs/testing/index.ts";
import { toolSuite, withNetworkNamespace } from "../../testing/index.ts";
import { closeStaleSockets, type ConnectionMaps } from "./close-sockets.ts";
import { withLoaded } from "../testing/loaded.ts";

const GET = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
const INDEX = 7;

const mapped = ({ address, port }: Endpoint): Endpoint => ({ address: `::ffff:${address}`, port });

const families = [
  { name: "IPv4", family: 4, service: SERVICE, backends: BACKENDS, named: (to: Endpoint) => to },
  { name: "IPv4 mapped", family: 6, service: SERVICE, backends: BACKENDS, named: mapped },
  { name: "IPv6", family: 6, service: SERVICE6, backends: BACKENDS6, named: (to: Endpoint) => to },
] as const;

const settings = { revNatIndex: INDEX, flags: ServiceFlag.CLOSE_SOCKETS };

function closeSockets(dataPath: DataPath): Promise<number> {
  const mapsOf = ({ services, backends, connections }: Maps): ConnectionMaps => ({
    services: dataPath.map(services),
    backends: dataPath.map(backends),
    connections: dataPath.map(connections),
  });
  return closeStaleSockets(
    new Map([
      ["ipv4", mapsOf(maps4)],
      ["ipv6", mapsOf(maps6)],
    ]),
  );
}

/** Sockets whose connections the maps have. */
const connectionCount = (dataPath: DataPath): number =>
  dataPath.map(maps4.connections).count() + dataPath.map(maps6.connections).count();

/** Checks that the socket works: a request is answered. */
async function answers(socket: ClientSocket, kind: "tcp" | "udp"): Promise<string> {
  return (await socket.exchange(kind === "udp" ? "hello" : GET)).text;
}

const test = dataPathSuite("closing the sockets of removed backends", {
  options: { ipv6: true, trackConnections: true },
});

/** A client here, and one in another network namespace with the same backends. */
async function withClients(
  dataPath: DataPath,
  work: (clients: readonly SocketClient[]) => Promise<void>,
): Promise<void> {
  const all = [...BACKENDS, ...BACKENDS6];
  await withNetworkNamespace(
    all.map((text) => endpoint(text).address),
    async (networkNamespace) => {
      const server = await startBackends({ networkNamespace }, { tcp: all, udp: all });
      const clients = [dataPath.client(), new SocketClient({ ...dataPath.place, networkNamespace })];
      try {
        await work(clients);
      } finally {
        await clients[1]!.kill();
        server.kill();
      }
    },
  );
}

test("closes the sockets that came through the service, in every network namespace, and no others", async ({
  dataPath,
}) => {
  await withClients(dataPath, async (clients) => {
    for (const {
      name,
      family,
      service,
      backends: [removed, kept],
      named,
    } of families) {
      for (const kind of ["tcp", "udp"] as const) {
        const what = `${name}, ${kind}`;
        const setBackends = (...backends: readonly string[]) =>
          dataPath.services.set(service, kind, backends, settings);
        const toClose: ClientSocket[] = [];
        const toStay: [socket: ClientSocket, backend: string][] = [];
        const open = async (client: SocketClient, to: Endpoint) => {
          const socket = await client.open(kind, family);
          await socket.connect(named(to));
          return socket;
        };
        for (const client of clients) {
          setBackends(removed);
          toClose.push(await open(client, service), await open(client, service));
          toStay.push([await open(client, endpoint(removed)), removed]);
          const turned = await open(client, service);
          await turned.dissolve();
          await turned.connect(named(endpoint(removed)));
          toStay.push([turned, removed]);
          if (kind === "udp") {
            const both = await open(client, endpoint(removed));
            await both.exchange("hello", named(service));
            toStay.push([both, removed]);
          }
          setBackends(kept);
          toStay.push([await open(client, service), kept]);
        }
        assert.is(connectionCount(dataPath), toClose.length + clients.length, what);
        for (const socket of toClose) assert.is(await answers(socket, kind), removed, `${what}: before`);
        assert.is(await closeSockets(dataPath), toClose.length, what);
        for (const socket of toClose) assert.is(await errnoOf(socket.receive()), "ECONNABORTED", what);
        for (const [socket, backend] of toStay) assert.is(await answers(socket, kind), backend, `${what}: after`);
        assert.is(await closeSockets(dataPath), 0, `${what}: a second time there is nothing left to close`);
        assert.is(connectionCount(dataPath), clients.length, what);
        for (const socket of [...toClose, ...toStay.map(([socket]) => socket)]) await socket.close();
      }
    }
  });
});

for (const {
  name,
  family,
  service,
  backends: [removed, kept],
  named,
} of families) {
  test(`${name}: an unconnected UDP socket keeps its port, and gets another backend`, async ({ dataPath, client }) => {
    dataPath.services.set(service, "udp", [removed], settings);
    const socket = await client.open("udp", family);
    const to = named(service);
    assert.equal(await socket.exchange("hello", to), { text: removed, ...to });
    const port = await socket.localPort();
    const dissolved = await client.open("udp", family);
    await dissolved.connect(to);
    await dissolved.dissolve();
    await dissolved.send("hello", to);
    const portOfDissolved = await dissolved.localPort();
    dataPath.services.set(service, "udp", [kept], settings);
    assert.is(await closeSockets(dataPath), 0);
    assert.equal(await socket.exchange("hello", to), { text: kept, ...to });
    assert.is(await socket.localPort(), port);
    // The kernel forgets only part of an IPv6 socket's former peer (__udp_disconnect), so a reply may not reach it.
    await dissolved.send("hello", to);
    assert.is(await dissolved.localPort(), portOfDissolved);
  });
}

test("leaves nothing in the maps when sockets end, however they do", async ({ dataPath, client }) => {
  for (const kind of ["tcp", "udp"] as const) dataPath.services.set(SERVICE, kind, [BACKENDS[0]], settings);
  dataPath.services.set(SERVICE6, "tcp", [BACKENDS6[0]], settings);
  const sockets = [];
  for (const [kind, family, to] of [
    ["tcp", 4, SERVICE],
    ["udp", 4, SERVICE],
    ["tcp", 6, SERVICE6],
    ["udp", 6, mapped(SERVICE)],
  ] as const) {
    for (let i = 0; i < 2; i++) {
      const socket = await client.open(kind, family);
      await socket.connect(to);
      sockets.push(socket);
    }
  }
  assert.is(connectionCount(dataPath), 8);
  for (const socket of sockets.filter((_, i) => i % 2 === 0)) await socket.close();
  assert.is(connectionCount(dataPath), 4);
  await client.kill();
  assert.is(connectionCount(dataPath), 0);
});

test("keeps the sockets of a service without closeSockets, or no longer with it", async ({ dataPath, client }) => {
  for (const [before, after] of [
    [0, 0],
    [0, ServiceFlag.CLOSE_SOCKETS],
    [ServiceFlag.CLOSE_SOCKETS, 0],
  ] as const) {
    for (const kind of ["tcp", "udp"] as const) {
      dataPath.services.set(SERVICE, kind, [BACKENDS[0]], { revNatIndex: INDEX, flags: before });
      const socket = await client.open(kind);
      await socket.connect(SERVICE);
      dataPath.services.set(SERVICE, kind, [BACKENDS[1]], { revNatIndex: INDEX, flags: after });
      assert.is(await closeSockets(dataPath), 0);
      assert.is(await answers(socket, kind), BACKENDS[0]);
      await socket.close();
    }
  }
});

test("closes the sockets of a removed service", async ({ dataPath, client }) => {
  dataPath.services.set(SERVICE, "tcp", [BACKENDS[0]], settings);
  const socket = await client.open("tcp");
  await socket.connect(SERVICE);
  dataPath.services.remove(SERVICE, "tcp");
  assert.is(await closeSockets(dataPath), 1);
  assert.is(await errnoOf(socket.receive()), "ECONNABORTED");
});

test("keeps the sockets of a terminating backend", async ({ dataPath, client }) => {
  dataPath.services.set(SERVICE, "tcp", [BACKENDS[0]], settings);
  const socket = await client.open("tcp");
  await socket.connect(SERVICE);
  dataPath.services.terminate(BACKENDS[0], INDEX);
  assert.is(await closeSockets(dataPath), 0);
  assert.is(await answers(socket, "tcp"), BACKENDS[0]);
});

test("keeps the sockets of another service with the same backend", async ({ dataPath, client }) => {
  const other = { ...SERVICE, port: 81 };
  dataPath.services.set(SERVICE, "tcp", [BACKENDS[0]], settings);
  dataPath.services.set(other, "tcp", [BACKENDS[0]], { ...settings, revNatIndex: INDEX + 1 });
  const [socket, neighbour] = [await client.open("tcp"), await client.open("tcp")];
  await socket.connect(SERVICE);
  await neighbour.connect(other);
  dataPath.services.set(SERVICE, "tcp", [BACKENDS[1]], settings);
  assert.is(await closeSockets(dataPath), 1);
  assert.is(await errnoOf(socket.receive()), "ECONNABORTED");
  assert.is(await answers(neighbour, "tcp"), BACKENDS[0]);
});

test("a UDP socket that reconnects to its service, in the same generation and in the next", async ({
  dataPath,
  client,
}) => {
  dataPath.services.set(SERVICE, "udp", [BACKENDS[0]], settings);
  const socket = await client.open("udp");
  for (let i = 0; i < 2; i++) await socket.connect(SERVICE);
  dataPath.services.announce();
  await socket.connect(SERVICE);
  dataPath.services.set(SERVICE, "udp", [BACKENDS[1]], settings);
  assert.is(await closeSockets(dataPath), 1);
  assert.is(await errnoOf(socket.receive()), "ECONNABORTED");
  await socket.connect(SERVICE);
  assert.is(await answers(socket, "udp"), BACKENDS[1]);
  await socket.close();
  assert.equal(dataPath.reverseEntries(), []);
  assert.is(connectionCount(dataPath), 0);
});

for (const [what, count] of [
  ["several backends at once", 100],
  ["more backends than the kernel is to compare with each socket", 1_000],
] as const) {
  test(`${what}, most of them without sockets`, async ({ dataPath, client }) => {
    dataPath.services.set(SERVICE, "tcp", [BACKENDS[0]], settings);
    const [socket, direct] = [await client.open("tcp"), await client.open("tcp")];
    await socket.connect(SERVICE);
    await direct.connect(endpoint(BACKENDS[0]));
    const { netnsCookie } = dataPath.map(maps4.connections).get(socket.cookie)!;
    for (let i = 0; i < count; i++) {
      const [maps, address] =
        i % 2 === 0 ? ([maps4, `10.0.${i >> 8}.${i & 255}`] as const) : ([maps6, `fd00::${i}`] as const);
      dataPath
        .map(maps.connections)
        .set((1n << 63n) + BigInt(i), { netnsCookie, address, port: 80, revNatIndex: INDEX, protocol: 6 });
    }
    dataPath.services.set(SERVICE, "tcp", [BACKENDS[1]], settings);
    assert.is(await closeSockets(dataPath), 1);
    assert.is(await errnoOf(socket.receive()), "ECONNABORTED");
    assert.is(await answers(direct, "tcp"), BACKENDS[0]);
    assert.is(connectionCount(dataPath), 0, "connections without a socket are not looked for again");
  });
}

test.run();

const loading = toolSuite("loading closes the sockets of removed backends", ["python3"], { kernel: true });

const ADDRESSES = ["20.0.0.1", "20.0.0.2"];

loading("where a service asks for it, and says how many", () =>
  withLoaded(ADDRESSES, { tcp: BACKENDS, udp: BACKENDS }, async ({ load, status, client }) => {
    const service = (protocol: "tcp" | "udp", backends: readonly unknown[], settings: object) => ({
      name: protocol,
      ...SERVICE,
      protocol,
      backends,
      ...settings,
    });
    const asking = { closeSockets: true };
    const connect = async (protocol: "tcp" | "udp") => {
      const socket = await client.open(protocol);
      await socket.connect(SERVICE);
      return socket;
    };
    const loadBoth = async (tcp: readonly unknown[], udp: readonly unknown[], settings: object) =>
      (await load({ services: [service("tcp", tcp, settings), service("udp", udp, settings)] })).closedSockets;
    const [first, second] = BACKENDS;

    assert.is(await loadBoth([first], [first], {}), 0);
    const unasked = await connect("tcp");
    assert.is(await loadBoth([first], [first], asking), 0);
    assert.equal(
      status().services.map(({ closeSockets }) => closeSockets),
      [true, true],
    );
    const sockets = [await connect("tcp"), await connect("udp"), await connect("udp")];
    assert.is(await loadBoth([first, second], [first], asking), 0);
    assert.is(
      await loadBoth([second], [{ address: first, state: "terminating" }], asking),
      1,
      "the TCP socket; UDP ones may stay",
    );
    assert.is(await errnoOf(sockets[0]!.receive()), "ECONNABORTED");
    assert.is(await answers(unasked, "tcp"), first);
    assert.is(
      await loadBoth([second], [{ address: first, state: "maintenance" }, second], asking),
      2,
      "the UDP sockets",
    );
    for (const socket of sockets.slice(1)) assert.is(await errnoOf(socket.receive()), "ECONNABORTED");

    const last = await connect("udp");
    assert.is(await answers(last, "udp"), second);
    assert.is((await load({ services: [] })).closedSockets, 1, "the services are gone, and nobody asks any more");
    assert.is(await errnoOf(last.receive()), "ECONNABORTED");
    assert.not(status().maps.some(({ name }) => name === "connections"));
  }),
);

loading.run();
