/** Services of a node: local backends, the host's own addresses, opt-outs. */
import { mkdirSync } from "node:fs";
import { join, relative } from "node:path";
import * as assert from "uvu/assert";
import { startBackends, type Backends } from "../../programs/testing/backend-server.ts";
import { findPython } from "../../programs/testing/python.ts";
import { errnoOf, SocketClient, type Endpoint } from "../../programs/testing/index.ts";
import { cgroupRoot } from "../loader/index.ts";
import { removeCgroup, runIn, toolSuite, withNetworkNamespace } from "../testing/index.ts";
import { hashOf, LoadBalancerError } from "./model/index.ts";
import { maglevTable, sourceSeeds } from "./plan/index.ts";
import { NamespaceReader } from "./host/index.ts";
import { withLoaded } from "./testing/loaded.ts";

const test = toolSuite("services of a node", ["python3"], { kernel: true });

const ADDRESSES = ["20.0.0.1", "20.0.0.2", "20.0.0.3"];
const BACKENDS = ADDRESSES.map((address) => `${address}:53`);
const [FIRST, SECOND, THIRD] = BACKENDS as [string, string, string];
const SERVICE = { address: "100.0.0.1", port: 53 };
const dns = (more: object = {}) => ({ name: "dns", ...SERVICE, protocol: "udp", backends: [FIRST], ...more });

interface Container {
  readonly client: SocketClient;
  /** The name of its network namespace. */
  readonly name: string;
}

/** Runs `work` with a client and servers in their own network namespace, in the same cgroup. */
async function withContainer<T>(
  cgroup: string,
  addresses: readonly string[],
  backends: Backends,
  work: (container: Container) => Promise<T>,
): Promise<T> {
  return withNetworkNamespace(addresses, async (name) => {
    const server = await startBackends({ networkNamespace: name }, backends);
    const client = new SocketClient({ cgroup, networkNamespace: name });
    try {
      return await work({ client, name });
    } finally {
      await client.kill();
      server.kill();
    }
  });
}

/** The backend that answers a new UDP socket, which sees the answer come from the service. */
async function ask(client: SocketClient, to: Endpoint, family: 4 | 6 = 4): Promise<string> {
  const socket = await client.open("udp", family);
  const { text, ...source } = await socket.exchange("hello", to);
  assert.equal(source, to);
  await socket.close();
  return text;
}

/** All backends that answer, after enough questions to reach each of a few. */
async function askOften(client: SocketClient, to: Endpoint): Promise<string[]> {
  const answers = new Set<string>();
  for (let i = 0; i < 24; i++) answers.add(await ask(client, to));
  return [...answers].sort();
}

test("a service on the host's loopback address is the host's: a container's own server keeps that address", () =>
  withLoaded(
    [...ADDRESSES, "fd00:20::1"],
    { udp: [...BACKENDS, "[fd00:20::1]:53"] },
    async ({ load, client, place, status }) => {
      const nodePort = 30053;
      const hostPort = 8053;
      const own = ["127.0.0.1:30053", "127.0.0.1:8053", "[::1]:30053", "127.0.0.1:5353"];
      await withContainer(
        place.cgroup,
        ["20.0.0.1", "20.0.0.2", "fd00:20::1"],
        { udp: [...own, FIRST, SECOND, "[fd00:20::1]:53"] },
        async (container) => {
          await load({
            services: [
              dns({ nodePort, port: 5353, address: undefined, externalAddresses: ["127.0.0.1"] }),
              { name: "dns6", nodePort, protocol: "udp", backends: ["[fd00:20::1]:53"] },
              { name: "console", hostPort, hostIP: "127.0.0.1", protocol: "udp", backends: [SECOND] },
            ],
          });
          for (const [port, backend] of [
            [nodePort, FIRST],
            [hostPort, SECOND],
            [5353, FIRST],
          ] as const) {
            assert.is(await ask(client, { address: "127.0.0.1", port }), backend);
            assert.is(await ask(container.client, { address: "127.0.0.1", port }), `127.0.0.1:${port}`);
          }
          assert.is(await ask(client, { address: "::1", port: nodePort }, 6), "[fd00:20::1]:53");
          assert.is(await ask(container.client, { address: "::1", port: nodePort }, 6), "[::1]:30053");
          // Every network namespace reaches the host's other addresses.
          assert.is(await ask(container.client, { address: "20.0.0.3", port: nodePort }), FIRST);
          assert.equal(
            status().services.map(({ name, frontEnds, nodePort, hostPort }) => [
              name,
              frontEnds.length,
              nodePort,
              hostPort,
            ]),
            [
              ["dns", 7, 30053, undefined],
              ["console", 2, undefined, 8053],
              ["dns6", 3, 30053, undefined],
            ],
          );
        },
      );
    },
  ));

test("a host port serves at each address of the host, or at one, and processes can bind it", () =>
  withLoaded(ADDRESSES, { udp: BACKENDS }, async ({ load, client, status }) => {
    await load({ services: [dns({ address: undefined, port: undefined, hostPort: 8053 })] });
    for (const address of ["127.0.0.1", ...ADDRESSES]) assert.is(await ask(client, { address, port: 8053 }), FIRST);
    await (await client.open("udp")).bind({ address: "20.0.0.2", port: 8053 });
    await load({ services: [dns({ address: undefined, port: undefined, hostPort: 8054, hostIP: "20.0.0.2" })] });
    assert.equal(
      status().services.map(({ frontEnds }) => frontEnds),
      [["20.0.0.2:8054"]],
    );
    assert.is(await ask(client, { address: "20.0.0.2", port: 8054 }), FIRST);
    const socket = await client.open("udp");
    await socket.connect({ address: "20.0.0.1", port: 8054 });
    assert.is(await errnoOf(socket.exchange("hello")), "ECONNREFUSED");
  }));

/**
 * Binds each address and prints "bound" or the error's name: arguments are `address port`, with `only` for IPV6_V6ONLY.
 */
const BIND = `
import errno, socket, sys
for text in sys.argv[1:]:
    address, port, *only = text.split()
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as handle:
            if only:
                handle.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                handle.bind((address, int(port)))
                print("bound")
            except OSError as error:
                print(errno.errorcode[error.errno])
`;

test("bind is refused a node port of a family that the socket would serve", () =>
  withLoaded(["20.0.0.1", "fd00:20::1"], {}, async ({ load, place }) => {
    await load({
      services: ["tcp", "udp"].flatMap((protocol) => [
        { name: `${protocol}4`, nodePort: 30_004, protocol, backends: [FIRST] },
        { name: `${protocol}6`, nodePort: 30_006, protocol, backends: ["[fd00:20::1]:53"] },
      ]),
    });
    const expected = {
      "0.0.0.0 30004": "EPERM",
      "20.0.0.1 30004": "EPERM",
      ":: 30004": "EPERM",
      "::ffff:20.0.0.1 30004": "EPERM",
      ":: 30004 only": "bound",
      "::1 30004": "bound",
      "fd00:20::1 30004": "bound",
      "fd00:20::1 30004 only": "bound",
      "0.0.0.0 30006": "bound",
      "::ffff:20.0.0.1 30006": "bound",
      ":: 30006": "EPERM",
      ":: 30006 only": "EPERM",
      "::1 30006": "EPERM",
      "fd00:20::1 30006": "EPERM",
      ":: 30005": "bound",
    };
    const { stdout, stderr } = await runIn(place, findPython()!, "-c", BIND, ...Object.keys(expected));
    assert.equal(
      stdout.trim().split("\n"),
      Object.values(expected).flatMap((outcome) => [outcome, outcome]),
      stderr,
    );
  }));

test("0.0.0.0 and :: are the host's loopback address, over UDP and TCP, and the container's in a container", () =>
  withLoaded(
    [...ADDRESSES, "fd00:20::1"],
    { udp: [FIRST, "[fd00:20::1]:53"], tcp: [FIRST, "[fd00:20::1]:53"] },
    async ({ load, client, place }) => {
      const port = 30053;
      await load({
        services: ["udp", "tcp"].flatMap((protocol) => [
          { name: `${protocol}4`, nodePort: port, protocol, backends: [FIRST] },
          { name: `${protocol}6`, nodePort: port, protocol, backends: ["[fd00:20::1]:53"] },
        ]),
      });
      const ways = [
        ["0.0.0.0", 4, FIRST],
        ["::", 6, "[fd00:20::1]:53"],
        ["::ffff:0.0.0.0", 6, FIRST],
      ] as const;
      for (const [address, family, backend] of ways) {
        assert.is(await ask(client, { address, port }, family), backend, address);
        const stream = await client.open("tcp", family);
        await stream.connect({ address, port });
        assert.is((await stream.exchange("GET / HTTP/1.1\r\nHost: test\r\n\r\n")).text, backend, address);
        await stream.close();
      }
      await withContainer(place.cgroup, ["20.0.0.2"], {}, async (container) => {
        for (const [address, family] of ways) {
          const socket = await container.client.open("udp", family);
          await socket.connect({ address, port });
          assert.is(await errnoOf(socket.exchange("hello")), "ECONNREFUSED", address);
        }
      });
    },
  ));

test("a hostIP of 0.0.0.0 serves at each address of the host", () =>
  withLoaded(ADDRESSES, { udp: BACKENDS }, async ({ load, client }) => {
    await load({ services: [dns({ address: undefined, port: undefined, hostPort: 8053, hostIP: "0.0.0.0" })] });
    for (const address of ["0.0.0.0", "127.0.0.1", ...ADDRESSES])
      assert.is(await ask(client, { address, port: 8053 }), FIRST);
  }));

test("a local traffic policy limits the address or the node port to this node's backends", () =>
  withLoaded(ADDRESSES, { udp: BACKENDS }, async ({ load, client, status }) => {
    const backends = [{ address: FIRST, node: "here" }, { address: SECOND, node: "elsewhere" }, THIRD];
    const nodePort = { address: "20.0.0.1", port: 30053 };
    const loadWith = async (more: object, node = "here") =>
      (await load({ node, services: [dns({ nodePort: nodePort.port, backends, ...more })] })).services;
    await loadWith({});
    assert.equal(await askOften(client, SERVICE), BACKENDS);
    assert.equal(await loadWith({ internalTrafficPolicy: "local" }), {
      added: 0,
      changed: 1,
      removed: 0,
      unchanged: 0,
    });
    assert.equal(await askOften(client, SERVICE), [FIRST]);
    assert.equal(await askOften(client, nodePort), BACKENDS);
    await loadWith({ externalTrafficPolicy: "local" });
    assert.equal(await askOften(client, SERVICE), BACKENDS);
    assert.equal(await askOften(client, nodePort), [FIRST]);
    assert.equal(
      status()
        .services.map(({ name, frontEnds, nodeLocal, backends }) =>
          [name, frontEnds.length, nodeLocal, backends.length].join(" "),
        )
        .sort(),
      ["dns 1 false 3", "dns 5 true 1"],
    );
    // A node without backends.
    assert.equal(await loadWith({ externalTrafficPolicy: "local" }, "third"), {
      added: 0,
      changed: 1,
      removed: 0,
      unchanged: 0,
    });
    assert.is(await errnoOf(ask(client, nodePort)), "EHOSTUNREACH");
    assert.equal(await askOften(client, SERVICE), BACKENDS);
  }));

test("a local redirect replaces an address while this node has a backend", () =>
  withLoaded(ADDRESSES, { udp: BACKENDS }, async ({ load, client, status }) => {
    const asked = { address: "20.0.0.3", port: 53 };
    const redirect = (node: string) =>
      load({
        node,
        services: [
          dns({
            ...asked,
            localRedirect: true,
            backends: [
              { address: FIRST, node: "here" },
              { address: SECOND, node: "elsewhere" },
            ],
          }),
        ],
      });
    const lasting = await client.open("udp");
    const answer = async () => (await lasting.exchange("hello", asked)).text;
    await redirect("here");
    assert.equal(await askOften(client, asked), [FIRST]);
    assert.is(await answer(), FIRST);
    assert.equal(
      status().services.map(({ nodeLocal, localRedirect }) => [nodeLocal, localRedirect]),
      [[true, true]],
    );
    await redirect("third");
    assert.equal(await askOften(client, asked), [THIRD]);
    assert.is(await answer(), THIRD);
    assert.equal(status().services, []);
    await redirect("elsewhere");
    assert.is(await answer(), SECOND);
  }));

test("Maglev: a client's address selects, over TCP and UDP, whatever the order of the backends", () =>
  withLoaded([...ADDRESSES, "10.0.0.1"], { udp: BACKENDS, tcp: BACKENDS }, async ({ load, client, place, status }) => {
    const service = (backends: readonly unknown[]) =>
      ["tcp", "udp"].map((protocol) => ({ name: protocol, ...SERVICE, protocol, backends, algorithm: "maglev" }));
    const loadWith = (backends: readonly unknown[]) =>
      load({ services: service(backends), options: { maglevTableSize: 251 }, maps: { slots: 4096 } });
    /** The backend that a client with this address should get, among backends of weight 1. */
    const expected = (source: string, backends: readonly string[]) => {
      const table = maglevTable(
        backends.map((text) => ({ address: text.split(":")[0]!, port: 53, weight: 1 })),
        251,
      );
      return `${table[Math.floor((hashOf(source) * table.length) / 2 ** 32)]!.address}:53`;
    };
    const check = async (client: SocketClient, wanted: string) => {
      assert.equal(await askOften(client, SERVICE), [wanted]);
      for (let i = 0; i < 4; i++) {
        const socket = await client.open("tcp");
        await socket.connect(SERVICE);
        assert.is((await socket.exchange("GET / HTTP/1.1\r\nHost: test\r\n\r\n")).text, wanted);
        await socket.close();
      }
    };
    // The host's first address is a backend's; each container has its own.
    await loadWith(BACKENDS);
    await check(client, expected("20.0.0.1", BACKENDS));
    const sources = ["10.0.0.2", "10.0.0.5"];
    assert.ok(new Set(sources.map((source) => expected(source, BACKENDS))).size > 1);
    for (const source of sources) {
      await withContainer(place.cgroup, [source, ...ADDRESSES], { udp: BACKENDS, tcp: BACKENDS }, async (container) => {
        const loaded = await loadWith(BACKENDS.toReversed());
        assert.equal(loaded.services, { added: 0, changed: 0, removed: 0, unchanged: 2 });
        await check(container.client, expected(source, BACKENDS));
        await loadWith([FIRST, THIRD]);
        await check(container.client, expected(source, [FIRST, THIRD]));
        await loadWith(BACKENDS);
      });
    }
    assert.equal(
      status().services.map(({ algorithm }) => algorithm),
      ["maglev", "maglev"],
    );
    assert.ok(status().maps.some(({ name }) => name === "sources"));
  }));

test("Maglev: an IPv6 address selects if the network namespace has no IPv4 one", () =>
  withLoaded(ADDRESSES, {}, async ({ load, place }) => {
    const service = { address: "fd00:100::1", port: 53 };
    const addresses = ["fd00:20::1", "fd00:20::2", "fd00:20::3"];
    const backends = addresses.map((address) => `[${address}]:53`);
    const table = maglevTable(
      addresses.map((address) => ({ address, port: 53, weight: 1 })),
      251,
    );
    for (const source of ["fd00:10::2", "fd00:10::3"]) {
      await withContainer(place.cgroup, [source, ...addresses], { udp: backends }, async (container) => {
        await load({
          services: [dns({ ...service, algorithm: "maglev", backends })],
          options: { maglevTableSize: 251 },
          maps: { slots6: 1024 },
        });
        using reader = new NamespaceReader();
        const [[, seed]] = sourceSeeds([reader.read(`/run/netns/${container.name}`)]) as [[bigint, number]];
        const wanted = `[${table[Math.floor((seed * table.length) / 2 ** 32)]!.address}]:53`;
        for (let i = 0; i < 12; i++) assert.is(await ask(container.client, service, 6), wanted);
      });
    }
  }));

const families = [
  { family: 4, service: SERVICE, own: "100.0.0.1:53", other: "100.0.0.2", addresses: ADDRESSES, backends: BACKENDS },
  {
    family: 6,
    service: { address: "fd00:100::1", port: 53 },
    own: "[fd00:100::1]:53",
    other: "fd00:100::2",
    addresses: ["fd00:20::1", "fd00:20::2"],
    backends: ["[fd00:20::1]:53", "[fd00:20::2]:53"],
  },
] as const;

for (const { family, service, own, other, addresses, backends } of families) {
  const [first, second] = backends as unknown as [string, string];
  test(`IPv${family}: with skipSelf, a backend's call to its own service reaches the address itself`, () =>
    withLoaded(addresses, { udp: backends }, async ({ load, client, place, status }) => {
      await withContainer(place.cgroup, [addresses[1]!, service.address], { udp: [second, own] }, async (container) => {
        await load({ services: [dns({ ...service, backends: [second] })] });
        assert.is(await ask(container.client, service, family), second);
        await load({ services: [dns({ ...service, backends: [second], skipSelf: true })] });
        assert.is(await ask(container.client, service, family), own);
        assert.is(await ask(client, service, family), second, "the host has the address too, but is not a container");
        assert.is(status().services[0]!.skipSelf, true);
        // The same backend, of a service without skipSelf.
        await load({
          services: [
            dns({ ...service, backends: [first, second], skipSelf: true }),
            dns({ name: "other", ...service, address: other, backends: [second] }),
          ],
        });
        assert.is(await ask(container.client, { ...service, address: other }, family), second);
        assert.is(await ask(container.client, service, family), own);
        await load({ services: [dns({ ...service, backends: [second] })] });
        assert.is(await ask(container.client, service, family), second);
      });
    }));
}

test("namespaces and cgroups that opt out are not balanced, open sockets included, until they opt in again", () =>
  withLoaded(
    [...ADDRESSES, SERVICE.address],
    { udp: [...BACKENDS, `${SERVICE.address}:53`] },
    async ({ load, client, place }) => {
      const own = `${SERVICE.address}:53`;
      const loadWith = (optOut: object) => load({ services: [dns()], optOut });
      const parent = join(place.cgroup, "parent");
      const nested = join(parent, "nested");
      mkdirSync(nested, { recursive: true });
      const inNested = new SocketClient({ ...place, cgroup: nested });
      const sockets = [await client.open("udp"), await inNested.open("udp")];
      const answers = () => Promise.all(sockets.map(async (socket) => (await socket.exchange("hello", SERVICE)).text));
      const below = (directory: string) => relative(cgroupRoot(), directory);
      try {
        for (const [optOut, expected] of [
          [{}, [FIRST, FIRST]],
          [{ cgroups: [below(parent)] }, [FIRST, own]],
          [{ cgroups: [below(place.cgroup)] }, [own, own]],
          [{ cgroups: [nested, parent] }, [FIRST, own]],
          [{ networkNamespaces: [place.networkNamespace] }, [own, own]],
          [{ networkNamespaces: [`/proc/${client.pid}/ns/net`] }, [own, own]],
          [{ networkNamespaces: ["/proc/self/ns/net"] }, [FIRST, FIRST]],
          [{}, [FIRST, FIRST]],
        ] as const) {
          await loadWith(optOut);
          assert.equal(await answers(), expected, JSON.stringify(optOut));
          assert.equal([await ask(client, SERVICE), await ask(inNested, SERVICE)], expected, JSON.stringify(optOut));
        }
      } finally {
        await inNested.kill();
        await removeCgroup(nested);
        await removeCgroup(parent);
      }
    },
  ));

test("reports an opt-out that does not exist, and changes nothing", () =>
  withLoaded(ADDRESSES, { udp: BACKENDS }, async ({ load, client, status }) => {
    await load({ services: [dns()] });
    const before = status();
    for (const [optOut, message] of [
      [{ cgroups: ["no/such"] }, "optOut.cgroups: no/such does not exist"],
      [{ cgroups: ["/tmp"] }, "optOut.cgroups: /tmp is not in the cgroup v2 hierarchy"],
      [{ cgroups: ["cgroup.procs"] }, "optOut.cgroups: cgroup.procs is not a directory"],
      [
        { networkNamespaces: ["nowhere"] },
        "optOut.networkNamespaces: nowhere does not exist: there is no /run/netns/nowhere",
      ],
      [
        { networkNamespaces: ["/proc/self/ns/mnt"] },
        "optOut.networkNamespaces: /proc/self/ns/mnt is not a network namespace",
      ],
      [{ networkNamespaces: ["/nowhere"] }, "optOut.networkNamespaces: /nowhere does not exist"],
    ] as const) {
      const error = await load({ services: [dns({ backends: [SECOND] })], optOut }).then(
        () => undefined,
        (reason: unknown) => reason as Error,
      );
      assert.instance(error, LoadBalancerError);
      assert.is(error!.message, message);
    }
    assert.equal(status(), before);
    assert.is(await ask(client, SERVICE), FIRST);
  }));

test("with hostNamespaceOnly, other network namespaces are not balanced", () =>
  withLoaded(ADDRESSES, { udp: BACKENDS }, async ({ load, client, place }) => {
    const own = `${SERVICE.address}:53`;
    await withContainer(
      place.cgroup,
      [...ADDRESSES, SERVICE.address],
      { udp: [...BACKENDS, own] },
      async (container) => {
        const lasting = await container.client.open("udp");
        const answer = async () => (await lasting.exchange("hello", SERVICE)).text;
        for (const [hostNamespaceOnly, expected] of [
          [false, FIRST],
          [true, own],
          [false, FIRST],
        ] as const) {
          await load({ services: [dns()], options: { hostNamespaceOnly } });
          assert.is(await ask(client, SERVICE), FIRST);
          assert.is(await ask(container.client, SERVICE), expected);
          assert.is(await answer(), expected);
        }
      },
    );
  }));

test.run();
