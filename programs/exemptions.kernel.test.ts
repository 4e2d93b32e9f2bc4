/** Exempt sockets: the host and a container ask for the same service, and the load balancer exempts one of them. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { enterCgroup, removeCgroup } from "../src/testing/index.ts";
import { maps4, maps6, optOutCgroups, optOutNamespaces, ServiceFlag, sources, type DataPathOptions } from "./index.ts";
import {
  BACKENDS,
  BACKENDS6,
  dataPathSuite,
  errnoOf,
  SERVICE,
  SERVICE6,
  type DataPath,
  type Endpoint,
  type Party,
  type SocketClient,
} from "./testing/index.ts";

const GET = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

/** Ways to a service: family of the socket, service, backends, and the address that the socket uses. */
const ways = [
  { family: 4, service: SERVICE, backends: BACKENDS, asked: SERVICE },
  { family: 6, service: SERVICE, backends: BACKENDS, asked: { ...SERVICE, address: `::ffff:${SERVICE.address}` } },
  { family: 6, service: SERVICE6, backends: BACKENDS6, asked: SERVICE6 },
] as const;
const protocols = ["tcp", "udp"] as const;

/** The backend that answers a new socket. */
async function answer(client: SocketClient, protocol: "tcp" | "udp", family: 4 | 6, asked: Endpoint): Promise<string> {
  const socket = await client.open(protocol, family);
  try {
    if (protocol === "udp") return (await socket.exchange("hello", asked)).text;
    await socket.connect(asked);
    return (await socket.exchange(GET)).text;
  } finally {
    await socket.close();
  }
}

/** No interface has a service's address, so the call of an exempt socket fails with ENETUNREACH. */
async function isBalanced(client: SocketClient, way: (typeof ways)[number]): Promise<boolean> {
  const answers = [];
  for (const protocol of protocols) {
    const text = await answer(client, protocol, way.family, way.asked).catch(
      (error: unknown) => (error as { code?: string }).code,
    );
    answers.push(text === "ENETUNREACH" ? false : (assert.is(text, way.backends[0]), true));
  }
  assert.is(answers[0], answers[1], "TCP and UDP");
  return answers[0]!;
}

function suiteWith(name: string, options: Partial<DataPathOptions>) {
  return dataPathSuite(`data path: ${name}`, { container: true, options: { ipv6: true, ...options } });
}

function setServices({ services }: DataPath, flags = 0): void {
  for (const { service, backends } of ways)
    for (const protocol of protocols)
      services.set(service, protocol, [backends[0]], { flags, revNatIndex: protocol === "tcp" ? 1 : 2 });
}

const loopback = dataPathSuite("data path: a service of the host's network namespace", {
  container: true,
  options: { ipv6: true, hostNamespaceServices: true },
  backends: Object.fromEntries(
    protocols.map((protocol) => [protocol, ["127.0.0.1:30080", "[::1]:30080", BACKENDS[0], BACKENDS6[0]]]),
  ),
});

loopback(
  "a node port on loopback is the service for the host, and the container's own server for the container",
  async ({ dataPath, client }) => {
    const container = dataPath.client("container");
    for (const [address, family, asked, backend] of [
      ["127.0.0.1", 4, "127.0.0.1", BACKENDS[0]],
      ["127.0.0.1", 6, "::ffff:127.0.0.1", BACKENDS[0]],
      ["::1", 6, "::1", BACKENDS6[0]],
    ] as const) {
      for (const protocol of protocols) {
        dataPath.services.set({ address, port: 30_080 }, protocol, [backend], {
          flags: ServiceFlag.NODE_PORT | ServiceFlag.HOST_NAMESPACE,
        });
        const destination = { address: asked, port: 30_080 };
        assert.is(await answer(client, protocol, family, destination), backend);
        assert.is(
          await answer(container, protocol, family, destination),
          address === "::1" ? "[::1]:30080" : "127.0.0.1:30080",
        );
      }
    }
  },
);
loopback.run();

const hostOnly = suiteWith("only the host's network namespace", { hostNamespaceOnly: true });

hostOnly("the host is balanced, a container is exempt", async ({ dataPath, client }) => {
  const container = dataPath.client("container");
  setServices(dataPath);
  for (const way of ways) {
    assert.ok(await isBalanced(client, way));
    assert.not(await isBalanced(container, way));
  }
  assert.equal(dataPath.reverseEntries(), []);
});
hostOnly.run();

const optOut = suiteWith("opting out", { optOutNamespaces: true, optOutCgroupLevels: [2] });

optOut("a network namespace opts out, and back in", async ({ dataPath, client }) => {
  const container = dataPath.client("container");
  const { netnsCookie } = dataPath.identity("container");
  setServices(dataPath);
  for (const out of [false, true, false]) {
    if (out) dataPath.map(optOutNamespaces).set(netnsCookie, 1);
    else dataPath.map(optOutNamespaces).delete(netnsCookie);
    dataPath.services.announce();
    for (const way of ways) {
      assert.is(await isBalanced(container, way), !out);
      assert.ok(await isBalanced(client, way));
    }
  }
});

optOut(
  "200 changes: an open socket is exempt exactly while its network namespace is opted out",
  async ({ dataPath, client }) => {
    const { netnsCookie } = dataPath.identity("host");
    setServices(dataPath);
    for (const { family, asked, backends } of ways) {
      const socket = await client.open("udp", family);
      for (let i = 0; i < 200; i++) {
        const out = i % 3 === 1;
        if (out) dataPath.map(optOutNamespaces).set(netnsCookie, 1);
        else dataPath.map(optOutNamespaces).delete(netnsCookie);
        dataPath.services.announce();
        if (out) assert.is(await errnoOf(socket.send("hello", asked)), "ENETUNREACH");
        else assert.equal(await socket.exchange("hello", asked), { text: backends[0], ...asked });
      }
      dataPath.map(optOutNamespaces).delete(netnsCookie);
      await socket.close();
      assert.equal(dataPath.reverseEntries(), []);
    }
  },
);

optOut("a cgroup opts out: the processes in it and below it, while they stay there", async ({ dataPath, client }) => {
  const { cgroup } = dataPath.place;
  const container = dataPath.client("container");
  const { cgroupIds } = dataPath.identity("container");
  setServices(dataPath);
  const pod = cgroupIds[2]!;
  dataPath.map(optOutCgroups).set(pod, 1);
  dataPath.services.announce();
  const deeper = join(dataPath.placeOf("container").cgroup, "made-later");
  mkdirSync(deeper);
  try {
    for (const [place, balanced] of [
      [undefined, false],
      [deeper, false],
      [join(cgroup, "pod"), false],
      [cgroup, true],
      [dataPath.placeOf("container").cgroup, false],
    ] as const) {
      if (place !== undefined) enterCgroup(place, container.pid);
      for (const way of ways) assert.is(await isBalanced(container, way), balanced, place);
    }
    assert.ok(await isBalanced(client, ways[0]));
  } finally {
    await container.kill();
    await removeCgroup(deeper);
  }
});

optOut("opting out keeps existing connections, TCP and UDP", async ({ dataPath, client }) => {
  const { netnsCookie } = dataPath.identity("host");
  setServices(dataPath);
  for (const { family, asked, backends } of ways) {
    const [tcp, udp] = [await client.open("tcp", family), await client.open("udp", family)];
    for (const socket of [tcp, udp]) await socket.connect(asked);
    dataPath.map(optOutNamespaces).set(netnsCookie, 1);
    dataPath.services.announce();
    assert.is((await tcp.exchange(GET)).text, backends[0]);
    assert.equal(await udp.exchange("hello"), { text: backends[0], ...asked });
    assert.equal(await udp.peer(), asked);
    assert.is(await errnoOf((await client.open("tcp", family)).connect(asked)), "ENETUNREACH");
    dataPath.map(optOutNamespaces).delete(netnsCookie);
    dataPath.services.announce();
    for (const socket of [tcp, udp]) await socket.close();
    assert.equal(dataPath.reverseEntries(), []);
  }
});
optOut.run();

const self = suiteWith("a backend that asks for its own service", { skipSelf: true });

self("the backend is exempt, other clients are balanced", async ({ dataPath, client }) => {
  const container = dataPath.client("container");
  const { netnsCookie } = dataPath.identity("container");
  for (const { service } of ways)
    dataPath.map(service === SERVICE6 ? maps6.skip : maps4.skip).set({ netnsCookie, ...service }, 1);
  setServices(dataPath, ServiceFlag.SKIP_SELF);
  for (const way of ways) {
    assert.not(await isBalanced(container, way));
    assert.ok(await isBalanced(client, way));
  }
  setServices(dataPath);
  for (const way of ways) assert.ok(await isBalanced(container, way));
});
self.run();

const maglev = suiteWith("Maglev by source", { maglev: true });

maglev("each network namespace always reaches one backend, over TCP and UDP", async ({ dataPath, client }) => {
  const clients = { host: client, container: dataPath.client("container") };
  const came = async (party: Party) => {
    const found = new Set<string>();
    for (const { family, asked } of ways.slice(0, 2)) {
      for (const protocol of protocols)
        for (let i = 0; i < 8; i++) found.add(await answer(clients[party], protocol, family, asked));
    }
    return [...found];
  };
  const table = Array.from({ length: 251 }, (_, i) => BACKENDS[i % 2]!);
  for (const protocol of protocols)
    dataPath.services.set(SERVICE, protocol, table, {
      flags: ServiceFlag.MAGLEV,
      revNatIndex: protocol === "tcp" ? 1 : 2,
    });
  for (const party of ["host", "container"] as const) assert.is((await came(party)).length, 1, "chosen by the cookie");
  // The middle of slots 100 and 101 of 251.
  for (const [party, slot] of [
    ["host", 100],
    ["container", 101],
  ] as const) {
    dataPath.map(sources).set(dataPath.identity(party).netnsCookie, Math.floor(((slot + 0.5) / 251) * 2 ** 32));
  }
  assert.equal(await came("host"), [BACKENDS[0]]);
  assert.equal(await came("container"), [BACKENDS[1]]);
});
maglev.run();
