import * as assert from "uvu/assert";
import { maps4, maps6, ServiceFlag } from "../../programs/index.ts";
import { startBackends } from "../../programs/testing/backend-server.ts";
import {
  BACKENDS, BACKENDS6, dataPathSuite, endpoint, errnoOf, SERVICE, SERVICE6, SocketClient,
  type ClientSocket, type DataPath, type Endpoint,
} from "../../programs/testing/index.ts";
import { withNetworkNamespace } from "../testing/index.ts";
import { closeSocketsOf, type ConnectionMaps } from "./close-sockets.ts";

const GET = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
const INDEX = 7;
const protocolNumber = { tcp: 6, udp: 17 } as const;

const mapped = ({ address, port }: Endpoint): Endpoint => ({ address: `::ffff:${address}`, port });

const families = [
  { name: "IPv4", family: 4, service: SERVICE, backends: BACKENDS, named: (to: Endpoint) => to },
  { name: "IPv4 mapped", family: 6, service: SERVICE, backends: BACKENDS, named: mapped },
  { name: "IPv6", family: 6, service: SERVICE6, backends: BACKENDS6, named: (to: Endpoint) => to },
] as const;

function connectionMaps(dataPath: DataPath): ConnectionMaps {
  return new Map([["ipv4", dataPath.map(maps4.connections)], ["ipv6", dataPath.map(maps6.connections)]]);
}

const lost = (backend: string, protocol: keyof typeof protocolNumber, revNatIndex = INDEX) =>
  ({ ...endpoint(backend), revNatIndex, protocol: protocolNumber[protocol] });

/** The socket works: a request is answered. */
async function answers(socket: ClientSocket, kind: keyof typeof protocolNumber): Promise<string> {
  return (await socket.exchange(kind === "udp" ? "hello" : GET)).text;
}

const test = dataPathSuite("closing the sockets of removed backends", { options: { ipv6: true, trackConnections: true } });

/** A client here, and one in another network namespace, where the same backends are. */
async function withClients(dataPath: DataPath, work: (clients: readonly SocketClient[]) => Promise<void>): Promise<void> {
  const all = [...BACKENDS, ...BACKENDS6];
  await withNetworkNamespace(all.map((text) => endpoint(text).address), async (networkNamespace) => {
    const server = await startBackends({ networkNamespace }, { tcp: all, udp: all });
    const clients = [dataPath.client(), new SocketClient({ ...dataPath.place, networkNamespace })];
    try {
      await work(clients);
    } finally {
      await clients[1]!.kill();
      server.kill();
    }
  });
}

for (const { name, family, service, backends: [removed, kept], named } of families) {
  for (const kind of ["tcp", "udp"] as const) {
    test(`${name}, ${kind}: those that came through the service are closed, in every network namespace, and no others`, async ({ dataPath }) => {
      const setBackends = (...backends: readonly string[]) =>
        dataPath.services.set(service, kind, backends, { revNatIndex: INDEX, flags: ServiceFlag.CLOSE_SOCKETS });
      await withClients(dataPath, async (clients) => {
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
        for (const socket of toClose) assert.is(await answers(socket, kind), removed);
        assert.is(await closeSocketsOf([lost(removed, kind)], connectionMaps(dataPath)), toClose.length);
        for (const socket of toClose) assert.is(await errnoOf(socket.receive()), "ECONNABORTED");
        for (const [socket, backend] of toStay) assert.is(await answers(socket, kind), backend);
        assert.is(await closeSocketsOf([lost(removed, kind)], connectionMaps(dataPath)), 0, "a second time there is nothing left to close");
      });
    });
  }

  test(`${name}: an unconnected UDP socket keeps its port, and gets another backend`, async ({ dataPath, client }) => {
    const settings = { revNatIndex: INDEX, flags: ServiceFlag.CLOSE_SOCKETS };
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
    assert.is(await closeSocketsOf([lost(removed, "udp")], connectionMaps(dataPath)), 0);
    assert.equal(await socket.exchange("hello", to), { text: kept, ...to });
    assert.is(await socket.localPort(), port);
    // Of IPv6 sockets the kernel forgets the former peer only halfway (__udp_disconnect), so that a reply may not reach it.
    await dissolved.send("hello", to);
    assert.is(await dissolved.localPort(), portOfDissolved);
  });
}

test("a service that does not ask for it: its sockets stay", async ({ dataPath, client }) => {
  for (const kind of ["tcp", "udp"] as const) dataPath.services.set(SERVICE, kind, [BACKENDS[0]], { revNatIndex: INDEX });
  for (const kind of ["tcp", "udp"] as const) {
    const socket = await client.open(kind);
    await socket.connect(SERVICE);
    assert.is(await closeSocketsOf([lost(BACKENDS[0], kind)], connectionMaps(dataPath)), 0);
    assert.is(await answers(socket, kind), BACKENDS[0]);
  }
});

test("another service, port or protocol with the same backend: its sockets stay", async ({ dataPath, client }) => {
  dataPath.services.set(SERVICE, "tcp", [BACKENDS[0]], { revNatIndex: INDEX, flags: ServiceFlag.CLOSE_SOCKETS });
  const socket = await client.open("tcp");
  await socket.connect(SERVICE);
  const others = [lost(BACKENDS[0], "tcp", INDEX + 1), lost(BACKENDS[0], "udp"), { ...lost(BACKENDS[0], "tcp"), port: 81 }, lost(BACKENDS[1], "tcp")];
  assert.is(await closeSocketsOf(others, connectionMaps(dataPath)), 0);
  assert.is(await answers(socket, "tcp"), BACKENDS[0]);
  assert.is(await closeSocketsOf([...others, lost(BACKENDS[0], "tcp")], connectionMaps(dataPath)), 1);
});

test("a UDP socket that connects to its service once more", async ({ dataPath, client }) => {
  dataPath.services.set(SERVICE, "udp", [BACKENDS[0]], { revNatIndex: INDEX, flags: ServiceFlag.CLOSE_SOCKETS });
  const socket = await client.open("udp");
  for (let i = 0; i < 2; i++) await socket.connect(SERVICE);
  dataPath.services.announce();
  await socket.connect(SERVICE);
  assert.is(await closeSocketsOf([lost(BACKENDS[0], "udp")], connectionMaps(dataPath)), 1);
  assert.is(await errnoOf(socket.receive()), "ECONNABORTED");
  assert.equal(dataPath.reverseEntries().length, 1, "the socket is still open");
  await socket.close();
  assert.equal(dataPath.reverseEntries(), []);
});

for (const [what, others] of [["a filter in the kernel", 100], ["more backends than the kernel is to compare", 1_000]] as const) {
  test(`many backends at once: ${what}`, async ({ dataPath, client }) => {
    dataPath.services.set(SERVICE, "tcp", [BACKENDS[0]], { revNatIndex: INDEX, flags: ServiceFlag.CLOSE_SOCKETS });
    const socket = await client.open("tcp");
    await socket.connect(SERVICE);
    const many = Array.from({ length: others }, (_, i) => lost(i % 2 === 0 ? `10.0.${i >> 8}.${i & 255}:80` : `[fd00::${i}]:80`, "tcp"));
    assert.is(await closeSocketsOf(many, connectionMaps(dataPath)), 0);
    assert.is(await answers(socket, "tcp"), BACKENDS[0]);
    assert.is(await closeSocketsOf([...many, lost(BACKENDS[0], "tcp"), ...many], connectionMaps(dataPath)), 1);
    assert.is(await errnoOf(socket.receive()), "ECONNABORTED");
  });
}

test.run();
