/** However a socket ends, its reverse entries are deleted: each way to talk to a service × each way to end. */
import * as assert from "uvu/assert";
import { runIn } from "../src/testing/index.ts";
import {
  BACKENDS,
  BACKENDS6,
  dataPathSuite,
  reverseEntry,
  SERVICE,
  SERVICE6,
  type ClientSocket,
  type DataPath,
  type Endpoint,
} from "./testing/index.ts";

const GET = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

/** Kinds of addresses: family of the socket, service, backend, and the address that the socket uses. */
const families = [
  { name: "IPv4", family: 4, service: SERVICE, backend: BACKENDS[0], asked: SERVICE },
  {
    name: "IPv4 mapped",
    family: 6,
    service: SERVICE,
    backend: BACKENDS[0],
    asked: { ...SERVICE, address: `::ffff:${SERVICE.address}` },
  },
  { name: "IPv6", family: 6, service: SERVICE6, backend: BACKENDS6[0], asked: SERVICE6 },
] as const;

interface Use {
  readonly name: string;
  readonly kind: "tcp" | "udp";
  /** Talks to the service; its backend answers. */
  talk(socket: ClientSocket, asked: Endpoint, backend: string): Promise<void>;
}

const uses: readonly Use[] = [
  {
    name: "TCP",
    kind: "tcp",
    async talk(socket, asked, backend) {
      await socket.connect(asked);
      assert.equal(await socket.peer(), asked);
      assert.is((await socket.exchange(GET)).text, backend);
    },
  },
  {
    name: "connected UDP",
    kind: "udp",
    async talk(socket, asked, backend) {
      await socket.connect(asked);
      assert.equal(await socket.peer(), asked);
      assert.equal(await socket.exchange("hello"), { text: backend, ...asked });
    },
  },
  {
    name: "unconnected UDP",
    kind: "udp",
    async talk(socket, asked, backend) {
      assert.equal(await socket.exchange("hello", asked), { text: backend, ...asked });
    },
  },
];

/** Aborts a socket with `ss --kill`; false where the kernel cannot (CONFIG_INET_DIAG_DESTROY). */
async function abort({ place }: DataPath, kind: "tcp" | "udp", localPort: number): Promise<boolean> {
  // `ss` lists the closed sockets; where the kernel cannot close any, it reports that on standard error.
  const { stdout, stderr } = await runIn(
    place,
    "ss",
    "--kill",
    `--${kind}`,
    "--all",
    "--numeric",
    `sport = :${localPort}`,
  );
  if (stderr.includes("not supported")) return false;
  assert.match(stdout, `:${localPort}`);
  return true;
}

// With rememberStreams, TCP sockets have state to clean up too.
const test = dataPathSuite("data path: how sockets end", { options: { ipv6: true, rememberStreams: true } });

for (const { name: familyName, family, service, backend, asked } of families) {
  for (const { name: useName, kind, talk } of uses) {
    const name = `${familyName}, ${useName}`;
    const start = async ({ dataPath, client }: Parameters<Parameters<typeof test>[1]>[0]): Promise<ClientSocket> => {
      dataPath.setService(service, kind, [backend]);
      const socket = await client.open(kind, family);
      await talk(socket, asked, backend);
      return socket;
    };
    const entriesOf = (socket: ClientSocket) => (kind === "udp" ? [reverseEntry(socket, service, backend)] : []);

    test(`${name}: closed`, async (context) => {
      const socket = await start(context);
      assert.equal(context.dataPath.reverseEntries(), entriesOf(socket));
      await socket.close();
      assert.equal(context.dataPath.reverseEntries(), []);
    });

    test(`${name}: the process killed`, async (context) => {
      const sockets = [];
      for (let i = 0; i < 5; i++) sockets.push(await start(context));
      assert.equal(context.dataPath.reverseEntries(), sockets.flatMap(entriesOf).sort());
      await context.client.kill();
      assert.equal(context.dataPath.reverseEntries(), []);
    });

    test(`${name}: aborted from outside`, async (context) => {
      const socket = await start(context);
      if (!(await abort(context.dataPath, kind, await socket.localPort()))) {
        process.stderr.write(
          `SKIPPED, "${name}: aborted from outside": this kernel cannot close sockets (CONFIG_INET_DIAG_DESTROY)\n`,
        );
        return;
      }
      await socket.close();
      assert.equal(context.dataPath.reverseEntries(), []);
    });

    test(`${name}: duplicated; the last close deletes the entry`, async (context) => {
      const socket = await start(context);
      const duplicate = await socket.duplicate();
      await socket.close();
      assert.equal(context.dataPath.reverseEntries(), entriesOf(duplicate));
      if (kind === "udp") assert.equal(await duplicate.exchange("hello", asked), { text: backend, ...asked });
      await duplicate.close();
      assert.equal(context.dataPath.reverseEntries(), []);
    });
  }
}

test("a socket that uses an IPv4 and an IPv6 service", async ({ dataPath, client }) => {
  dataPath.setService(SERVICE, "udp", [BACKENDS[0]], 1);
  dataPath.setService(SERVICE6, "udp", [BACKENDS6[0]], 2);
  const mapped = { ...SERVICE, address: `::ffff:${SERVICE.address}` };
  const socket = await client.open("udp", 6);
  for (let round = 0; round < 2; round++) {
    assert.equal(await socket.exchange("hello", mapped), { text: BACKENDS[0], ...mapped });
    assert.equal(await socket.exchange("hello", SERVICE6), { text: BACKENDS6[0], ...SERVICE6 });
  }
  assert.equal(
    dataPath.reverseEntries(),
    [reverseEntry(socket, SERVICE, BACKENDS[0], 1), reverseEntry(socket, SERVICE6, BACKENDS6[0], 2)].sort(),
  );
  await socket.close();
  assert.equal(dataPath.reverseEntries(), []);
});

test("an IPv6 socket that uses an IPv6 service and then becomes an IPv4 socket", async ({ dataPath, client }) => {
  dataPath.setService(SERVICE, "udp", [BACKENDS[0]], 1);
  dataPath.setService(SERVICE6, "udp", [BACKENDS6[0]], 2);
  const socket = await client.open("udp", 6);
  await socket.exchange("hello", SERVICE6);
  await socket.connect({ ...SERVICE, address: `::ffff:${SERVICE.address}` });
  await socket.becomeIpv4();
  assert.equal(await socket.peer(), SERVICE);
  assert.equal(await socket.exchange("hello"), { text: BACKENDS[0], ...SERVICE });
  await socket.close();
  assert.equal(dataPath.reverseEntries(), []);
});

test.run();
