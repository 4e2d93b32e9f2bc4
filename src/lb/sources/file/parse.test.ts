import { execFileSync } from "node:child_process";
import { symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withDirectory } from "../../../testing/index.ts";
import { defaultMapSizes, LoadBalancerError } from "../../model/index.ts";
import { ConfigError, parseConfig, readConfig } from "./index.ts";

const test = suite("configuration");

const good = `# the article's example
services:
  - name: web
    address: 100.0.0.1
    port: 80
    protocol: tcp
    backends: ["20.0.0.1:80", 20.0.0.2:80]
  - { name: dns, address: 100.0.0.1, port: 80, protocol: udp, backends: [] }
`;

test("returns the services and the maps' sizes", () => {
  assert.equal(parseConfig(good, "good.yaml"), {
    node: hostname(),
    services: [
      {
        name: "web",
        address: "100.0.0.1",
        port: 80,
        protocol: "tcp",
        externalAddresses: [],
        affinityTimeout: 0,
        backends: [plain("20.0.0.1", 80), plain("20.0.0.2", 80)],
      },
      {
        name: "dns",
        address: "100.0.0.1",
        port: 80,
        protocol: "udp",
        externalAddresses: [],
        affinityTimeout: 0,
        backends: [],
      },
    ],
    optOut: { cgroups: [], networkNamespaces: [] },
    options: {
      ipv6: true,
      getpeername: "backend",
      reverseEntries: "all",
      hostNamespaceOnly: false,
      maglevTableSize: 1021,
      metrics: false,
    },
    maps: {
      services: 65_536,
      slots: 262_144,
      backends: 262_144,
      affinity: 65_536,
      connections: 262_144,
      cilium_lb4_reverse_sk: 262_144,
      services6: 65_536,
      slots6: 262_144,
      backends6: 262_144,
      affinity6: 65_536,
      connections6: 262_144,
      cilium_lb6_reverse_sk: 262_144,
    },
  });
  assert.equal(parseConfig(`${good}maps: { slots: 1024 }`, "good.yaml").maps, { ...defaultMapSizes, slots: 1024 });
});

test("accepts anchors, aliases and JSON, which are YAML", () => {
  const { services } = parseConfig(
    `services:
  - { name: a, address: 1.2.3.4, port: 1, protocol: tcp, backends: &b ["20.0.0.1:80"] }
  - { name: b, address: 1.2.3.4, port: 2, protocol: tcp, backends: *b }
`,
    "f",
  );
  assert.equal(services[1]!.backends, [plain("20.0.0.1", 80)]);
  assert.equal(parseConfig('{"services": []}', "f").services, []);
});

const plain = (address: string, port: number) => ({ address, port, weight: 1, state: "active" });

const service = (fields: Record<string, unknown>) =>
  JSON.stringify({
    services: [{ name: "web", address: "100.0.0.1", port: 80, protocol: "tcp", backends: [], ...fields }],
  });

/** The service of a configuration with these fields. */
const parsed = (fields: Record<string, unknown>) => parseConfig(service(fields), "f").services[0]!;

test("accepts IPv6 addresses and returns one spelling", () => {
  const { address, backends } = parsed({ address: "FD00:0::01", backends: ["[fd00:0:0::2]:80"] });
  assert.is(address, "fd00::1");
  assert.equal(backends, [plain("fd00::2", 80)]);
});

test("accepts weights and states of backends", () => {
  const { backends } = parsed({
    backends: ["20.0.0.1:80", { address: "20.0.0.2:80" }, { address: "20.0.0.3:80", weight: 3, state: "terminating" }],
  });
  assert.equal(backends, [
    plain("20.0.0.1", 80),
    plain("20.0.0.2", 80),
    { ...plain("20.0.0.3", 80), weight: 3, state: "terminating" },
  ]);
});

test("accepts session affinity, UDP-Lite and options", () => {
  const { affinityTimeout, protocol } = parsed({ affinity: { timeout: 10_800 }, protocol: "udplite" });
  assert.equal([affinityTimeout, protocol], [10_800, "udplite"]);
  assert.equal(
    parseConfig(
      "services: []\noptions: { ipv6: false, getpeername: service, reverseEntries: older, " +
        "hostNamespaceOnly: true, maglevTableSize: 251, noBackend: ECONNREFUSED, metrics: true }",
      "f",
    ).options,
    {
      ipv6: false,
      getpeername: "service",
      reverseEntries: "older",
      hostNamespaceOnly: true,
      maglevTableSize: 251,
      noBackend: "ECONNREFUSED",
      metrics: true,
    },
  );
});

test("accepts node ports with and without an address, and external addresses", () => {
  const bare = parsed({ address: undefined, port: undefined, nodePort: 30_080 });
  assert.equal([bare.address, bare.port, bare.nodePort], [undefined, undefined, 30_080]);
  const { address, port, nodePort, externalAddresses } = parsed({ nodePort: 30_080, externalAddresses: ["192.0.2.1"] });
  assert.equal([address, port, nodePort, externalAddresses], ["100.0.0.1", 80, 30_080, ["192.0.2.1"]]);
});

test("accepts host ports with and without an address", () => {
  const { port, hostPort, hostIP } = parsed({ address: undefined, port: undefined, hostPort: 8080 });
  assert.equal([port, hostPort, hostIP], [undefined, 8080, undefined]);
  assert.is(parsed({ hostPort: 8080, hostIP: "192.0.2.1" }).hostIP, "192.0.2.1");
  // Kubernetes' default, which is of no family.
  for (const hostIP of ["0.0.0.0", "::", "0:0::0"]) {
    assert.is(parsed({ hostPort: 8080, hostIP }).hostPort, 8080);
    assert.is(parsed({ hostPort: 8080, hostIP, address: undefined, port: undefined }).hostPort, 8080);
  }
  assert.is(
    parseConfig(
      JSON.stringify({
        services: ["192.0.2.1", "192.0.2.2"].map((hostIP) => ({
          name: hostIP,
          protocol: "tcp",
          hostPort: 80,
          hostIP,
          backends: [],
        })),
      }),
      "f",
    ).services.length,
    2,
  );
});

test("accepts traffic policies, nodes and algorithms", () => {
  const { backends, internalTrafficPolicy, externalTrafficPolicy, algorithm, skipSelf } = parsed({
    internalTrafficPolicy: "local",
    externalTrafficPolicy: "cluster",
    algorithm: "maglev",
    skipSelf: true,
    backends: [{ address: "20.0.0.1:80", node: "node-1" }, "20.0.0.2:80"],
  });
  assert.equal(
    [internalTrafficPolicy, externalTrafficPolicy, algorithm, skipSelf],
    ["local", "cluster", "maglev", true],
  );
  assert.equal(backends, [{ ...plain("20.0.0.1", 80), node: "node-1" }, plain("20.0.0.2", 80)]);
  assert.is(parsed({ localRedirect: true }).localRedirect, true);
  assert.is(parseConfig("services: []\nnode: node-1", "f").node, "node-1");
});

test("accepts opt-outs", () => {
  assert.equal(
    parseConfig("services: []\noptOut: { cgroups: [system.slice], networkNamespaces: [blue, /proc/1/ns/net] }", "f")
      .optOut,
    { cgroups: ["system.slice"], networkNamespaces: ["blue", "/proc/1/ns/net"] },
  );
  assert.equal(parseConfig("services: []\noptOut: {}", "f").optOut, { cgroups: [], networkNamespaces: [] });
});

test("counts the slots of a Maglev table and of both parts of a service", () => {
  const load = (fields: Record<string, unknown>, slots: number) =>
    parseConfig(
      JSON.stringify({
        services: [{ ...JSON.parse(service(fields)).services[0] }],
        maps: { slots },
        options: { maglevTableSize: 251 },
        node: "here",
      }),
      "f",
    );
  const backends = [
    { address: "20.0.0.1:80", node: "here" },
    { address: "20.0.0.2:80", weight: 1000, state: "terminating" },
    { address: "20.0.0.3:80", weight: 3 },
  ];
  const twoParts = { backends, nodePort: 30_080, externalTrafficPolicy: "local" };
  for (const [fields, slots] of [
    [{ backends, algorithm: "maglev" }, 251],
    [{ ...twoParts, algorithm: "maglev" }, 502],
    [twoParts, 5],
    [{ backends, internalTrafficPolicy: "local" }, 1],
    [{ backends, internalTrafficPolicy: "cluster" }, 4],
  ] as const) {
    load(fields, slots);
    assert.throws(() => load(fields, slots - 1), /expected (at most \d+ slots|a whole number)/, JSON.stringify(fields));
  }
});

/** The problem that these fields of a service cause. */
const fields: readonly [fields: Record<string, unknown>, message: string][] = [
  [{ port: 0 }, "services[0].port: expected a whole number from 1 to 65535, but found 0"],
  [{ port: 70000 }, "services[0].port: expected a whole number from 1 to 65535, but found 70000"],
  [{ port: 80.5 }, "services[0].port: expected a whole number from 1 to 65535, but found 80.5"],
  [{ port: "80" }, 'services[0].port: expected a whole number from 1 to 65535, but found the text "80"'],
  [{ port: null }, "services[0].port: expected a whole number from 1 to 65535, but it is empty"],
  [{ port: undefined }, "services[0].port: expected a whole number from 1 to 65535, but it is missing"],
  ...["::", "ff02::1", "fe80::1", "fd00::1%eth0", "::ffff:10.0.0.1", "::ffff:a00:1", "[fd00::1]", "fd00::1::"].map(
    (address): [Record<string, unknown>, string] => [
      { address },
      "services[0].address: expected an IPv4 or IPv6 unicast address such as 100.0.0.1 or fd00::1, " +
        `but found the text ${JSON.stringify(address)}`,
    ],
  ),
  [
    { address: "100.0.0.256" },
    "services[0].address: expected an IPv4 or IPv6 unicast address such as 100.0.0.1 or fd00::1, " +
      'but found the text "100.0.0.256"',
  ],
  [
    { address: "example.org" },
    "services[0].address: expected an IPv4 or IPv6 unicast address such as 100.0.0.1 or fd00::1, " +
      'but found the text "example.org"',
  ],
  [
    { address: "0.0.0.0" },
    "services[0].address: expected an IPv4 or IPv6 unicast address such as 100.0.0.1 or fd00::1, " +
      'but found the text "0.0.0.0"',
  ],
  [
    { address: "224.0.0.1" },
    "services[0].address: expected an IPv4 or IPv6 unicast address such as 100.0.0.1 or fd00::1, " +
      'but found the text "224.0.0.1"',
  ],
  [
    { address: 100 },
    "services[0].address: expected an IPv4 or IPv6 unicast address such as 100.0.0.1 or fd00::1, but found 100",
  ],
  [{ protocol: "TCP" }, 'services[0].protocol: expected one of tcp, udp, udplite, but found the text "TCP"'],
  [{ protocol: 6 }, "services[0].protocol: expected one of tcp, udp, udplite, but found 6"],
  [
    { name: "" },
    'services[0].name: expected a name of 1 to 63 bytes without control characters, but found the text ""',
  ],
  [
    { name: "é".repeat(32) },
    "services[0].name: expected a name of 1 to 63 bytes without control characters, " +
      `but found the text "${"é".repeat(32)}"`,
  ],
  [
    { name: "a\u001bb" },
    'services[0].name: expected a name of 1 to 63 bytes without control characters, but found the text "a\\u001bb"',
  ],
  [{ backends: undefined }, "services[0].backends: expected a list of backends, [] for none, but it is missing"],
  [
    { backends: "20.0.0.1:80" },
    'services[0].backends: expected a list of backends, [] for none, but found the text "20.0.0.1:80"',
  ],
  ...[
    "20.0.0.1",
    "20.0.0.1:0",
    "20.0.0.1:70000",
    "[::]:80",
    "fd00::1:80",
    "[20.0.0.1]:80",
    "[fd00::1]",
    "20.0.0.1:80 ",
    ":80",
  ].map((text): [Record<string, unknown>, string] => [
    { backends: [text] },
    'services[0].backends[0]: expected a backend such as "20.0.0.1:80" or "[fd00::1]:80" (unicast address, ' +
      `port 1 to 65535), but found the text ${JSON.stringify(text)}`,
  ]),
  [
    { backends: [80] },
    'services[0].backends[0]: expected a backend such as "20.0.0.1:80" or "[fd00::1]:80" (unicast address, ' +
      "port 1 to 65535), but found 80",
  ],
  [
    { backends: ["[fd00::1]:80"] },
    "services[0].backends[0]: expected an IPv4 address like the service's others, but found fd00::1",
  ],
  [
    { address: "fd00::1", backends: ["20.0.0.1:80"] },
    "services[0].backends[0]: expected an IPv6 address like the service's others, but found 20.0.0.1",
  ],
  [
    { backends: [{ address: "20.0.0.1" }] },
    'services[0].backends[0].address: expected a backend such as "20.0.0.1:80" or "[fd00::1]:80" (unicast ' +
      'address, port 1 to 65535), but found the text "20.0.0.1"',
  ],
  [
    { backends: [{ address: "20.0.0.1:80", weight: 0 }] },
    "services[0].backends[0].weight: expected a whole number from 1 to 65535, but found 0",
  ],
  [
    { backends: [{ address: "20.0.0.1:80", state: "dead" }] },
    "services[0].backends[0].state: expected one of active, terminating, quarantined, maintenance, " +
      'but found the text "dead"',
  ],
  [
    { backends: [{ address: "20.0.0.1:80", wait: 3 }] },
    "services[0].backends[0].wait: expected no such field; known are address, weight, state, node",
  ],
  [
    { backends: [{ address: "20.0.0.1:80", weigth: 3 }] },
    "services[0].backends[0].weigth: expected no such field; did you mean weight?",
  ],
  [
    {
      backends: [
        { address: "20.0.0.1:80", weight: 65_535 },
        { address: "20.0.0.2:80", weight: 2 },
      ],
    },
    "services[0].backends: expected weights that take at most 65536 slots in lowest terms, but these take 65537; " +
      "weights with a common divisor take fewer",
  ],
  [
    { affinity: 5 },
    "services[0].affinity: expected session affinity, such as { timeout: 10800 } (seconds), but found 5",
  ],
  [
    { affinity: { timeout: 86_401 } },
    "services[0].affinity.timeout: expected a whole number from 1 to 86400, but found 86401",
  ],
  [{ affinity: { timeout: 5, time: 5 } }, "services[0].affinity.time: expected no such field; known are timeout"],
  [{ nodePort: 0 }, "services[0].nodePort: expected a whole number from 1 to 65535, but found 0"],
  [
    { nodePort: 30_080, port: undefined },
    "services[0].port: expected a whole number from 1 to 65535, but it is missing",
  ],
  [
    { externalAddresses: ["here"] },
    "services[0].externalAddresses[0]: expected an IPv4 or IPv6 unicast address such as 100.0.0.1 or fd00::1, " +
      'but found the text "here"',
  ],
  [
    { externalAddresses: ["fd00::1"] },
    "services[0].externalAddresses[0]: expected an IPv4 address like the service's others, but found fd00::1",
  ],
  [
    { externalAddresses: "100.0.0.2" },
    'services[0].externalAddresses: expected a list of addresses of this host, but found the text "100.0.0.2"',
  ],
  [
    { externalAddresses: ["100.0.0.1"] },
    "services[0].externalAddresses[0]: expected a unique address, port and protocol, " +
      "but services[0] (line 1) is 100.0.0.1:80/tcp too",
  ],
  [
    { backends: ["20.0.0.1:80", "20.0.0.2:80", "20.0.0.1:80"] },
    "services[0].backends[2]: expected each backend once, but services[0].backends[0] (line 1) is 20.0.0.1:80 too",
  ],
  [{ backend: [] }, "services[0].backend: expected no such field; did you mean backends?"],
  [{ closeSockets: "yes" }, 'services[0].closeSockets: expected true or false, but found the text "yes"'],
  [{ skipSelf: 1 }, "services[0].skipSelf: expected true or false, but found 1"],
  [{ hostPort: 0 }, "services[0].hostPort: expected a whole number from 1 to 65535, but found 0"],
  [{ hostIP: "192.0.2.1" }, "services[0].hostPort: expected a whole number from 1 to 65535, but it is missing"],
  [
    { hostPort: 80, hostIP: "eth0" },
    "services[0].hostIP: expected an IPv4 or IPv6 unicast address such as 100.0.0.1 or fd00::1, " +
      'but found the text "eth0"',
  ],
  [
    { hostPort: 80, hostIP: "::ffff:0.0.0.0" },
    "services[0].hostIP: expected an IPv4 or IPv6 unicast address such as 100.0.0.1 or fd00::1, " +
      'but found the text "::ffff:0.0.0.0"',
  ],
  [
    { hostPort: 8080, hostIP: "0.0.0.0", nodePort: 8080 },
    "services[0].hostPort: expected a unique hostPort and protocol, but services[0].nodePort (line 1) is 8080/tcp too",
  ],
  [
    { hostPort: 80, hostIP: "fd00::1" },
    "services[0].hostIP: expected an IPv4 address like the service's others, but found fd00::1",
  ],
  [
    { hostPort: 80, hostIP: "100.0.0.1" },
    "services[0].hostIP: expected a unique address, port and protocol, " +
      "but services[0] (line 1) is 100.0.0.1:80/tcp too",
  ],
  [
    { hostPort: 8080, nodePort: 8080 },
    "services[0].hostPort: expected a unique hostPort and protocol, but services[0].nodePort (line 1) is 8080/tcp too",
  ],
  [
    { internalTrafficPolicy: "Local" },
    'services[0].internalTrafficPolicy: expected cluster or local, but found the text "Local"',
  ],
  [{ externalTrafficPolicy: true }, "services[0].externalTrafficPolicy: expected cluster or local, but found true"],
  [{ algorithm: "ring" }, 'services[0].algorithm: expected random or maglev, but found the text "ring"'],
  [
    { algorithm: "maglev", backends: Array.from({ length: 1022 }, (_, i) => `20.0.${i >> 8}.${i & 255}:80`) },
    "services[0].backends: expected at most 1021 backends (options.maglevTableSize), but found 1022",
  ],
  [
    { localRedirect: true, nodePort: 30_080 },
    "services[0].nodePort: expected no such field beside localRedirect, which applies to the service's address only",
  ],
  [
    { localRedirect: true, internalTrafficPolicy: "cluster" },
    "services[0].internalTrafficPolicy: expected no such field beside localRedirect, " +
      "which applies to the service's address only",
  ],
  [
    { localRedirect: true, address: undefined },
    "services[0].address: expected an IPv4 or IPv6 unicast address such as 100.0.0.1 or fd00::1, but it is missing",
  ],
  [
    { backends: [{ address: "20.0.0.1:80", node: "a node" }] },
    "services[0].backends[0].node: expected a node's name of 1 to 253 characters without blanks, " +
      'but found the text "a node"',
  ],
  [
    { quality: 3 },
    "services[0].quality: expected no such field; known are name, address, port, protocol, nodePort, hostPort, " +
      "hostIP, externalAddresses, internalTrafficPolicy, externalTrafficPolicy, localRedirect, backends, " +
      "algorithm, affinity, closeSockets, skipSelf",
  ],
];

for (const [field, message] of fields) {
  test(`refuses ${JSON.stringify(field)}`, () => {
    const { problems } = failure(service(field));
    assert.equal(
      problems.map((problem) => `${problem.field}: ${problem.message}`),
      [message],
    );
  });
}

/** The error of a whole file, with its place. */
const files: readonly [what: string, text: string, message: string][] = [
  ["an empty file", "", "f:1:1: expected a mapping with the field services, but it is empty"],
  ["a list", "- a", "f:1:1: expected a mapping with the field services, but found a list"],
  ["no services", "maps: {}", "f:1:1: services: expected a list of services, [] for none, but it is missing"],
  [
    "a service that is not a mapping",
    "services:\n  - web",
    'f:2:5: services[0]: expected a service: name, address, port, protocol, backends, but found the text "web"',
  ],
  ["an unknown field", "services: []\nservice: []", "f:2:1: service: expected no such field; did you mean services?"],
  [
    "a map of size 0",
    "services: []\nmaps:\n  slots: 0",
    "f:3:10: maps.slots: expected a whole number from 1 to 16777216, but found 0",
  ],
  [
    "an unknown map",
    "services: []\nmaps: { reverse: 5 }",
    "f:2:9: maps.reverse: expected no such field; known are services, slots, backends, affinity, connections, " +
      "cilium_lb4_reverse_sk, services6, slots6, backends6, affinity6, connections6, cilium_lb6_reverse_sk",
  ],
  ["text that is not YAML", "services:\n  - a: 'b", "f:2:10: not YAML: Missing closing 'quote"],
  ["a field twice", "services: []\nservices: []", "f:2:1: not YAML: Map keys must be unique"],
  [
    "options that are not a mapping",
    "services: []\noptions: none",
    'f:2:10: options: expected options, such as { ipv6: false }, but found the text "none"',
  ],
  [
    "an option that is not a boolean",
    "services: []\noptions: { ipv6: 1 }",
    "f:2:18: options.ipv6: expected true or false, but found 1",
  ],
  [
    "an unknown choice",
    "services: []\noptions: { getpeername: proxy }",
    'f:2:25: options.getpeername: expected service or backend, but found the text "proxy"',
  ],
  [
    "a table size that is not a prime",
    "services: []\noptions: { maglevTableSize: 1024 }",
    "f:2:29: options.maglevTableSize: expected one of 251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, " +
      "but found 1024",
  ],
  [
    "a node with an empty name",
    "node: ''\nservices: []",
    'f:1:7: node: expected a node\'s name of 1 to 253 characters without blanks, but found the text ""',
  ],
  [
    "an opt-out that is not a mapping",
    "services: []\noptOut: [a]",
    "f:2:9: optOut: expected opt-outs: cgroups, networkNamespaces, but found a list",
  ],
  [
    "an unknown kind of opt-out",
    "services: []\noptOut: { cgroup: [a] }",
    "f:2:11: optOut.cgroup: expected no such field; did you mean cgroups?",
  ],
  [
    "an empty cgroup path",
    "services: []\noptOut: { cgroups: [''] }",
    "f:2:21: optOut.cgroups[0]: expected a cgroup's directory, " +
      'such as system.slice or /sys/fs/cgroup/system.slice, but found the text ""',
  ],
  [
    "an invalid network namespace",
    "services: []\noptOut: { networkNamespaces: [ns/net] }",
    "f:2:31: optOut.networkNamespaces[0]: expected a network namespace: a name as ip netns has it, " +
      'or a file such as /proc/1/ns/net, but found the text "ns/net"',
  ],
  [
    "an unknown option",
    "services: []\noptions: { ip6: true }",
    "f:2:12: options.ip6: expected no such field; did you mean ipv6?",
  ],
  [
    "an IPv6 service with ipv6: false",
    "services:\n  - { name: a, address: 'fd00::1', port: 80, protocol: tcp, backends: [] }\noptions: { ipv6: false }",
    "f:2:25: services[0].address: expected an IPv4 service, since options.ipv6 is false",
  ],
  [
    "a nodePort twice",
    "services:\n  - { name: a, nodePort: 30080, protocol: tcp, backends: [] }\n" +
      "  - { name: b, nodePort: 30080, protocol: tcp, backends: [] }",
    "f:3:26: services[1].nodePort: expected a unique nodePort and protocol, " +
      "but services[0].nodePort (line 2) is 30080/tcp too",
  ],
  [
    "a service twice",
    good.replace("udp", "tcp"),
    "f:8:5: services[1]: expected a unique address, port and protocol, " +
      "but services[0] (line 3) is 100.0.0.1:80/tcp too",
  ],
  [
    "a name twice",
    good.replace("dns", "web"),
    'f:8:13: services[1].name: expected a unique name, but services[0] (line 3) is named "web" too',
  ],
  [
    "more services than the map holds",
    `${good}maps: { services: 1 }`,
    "f:8:5: services[1]: expected at most 1 services (the size of map services)",
  ],
  [
    "more backends than the map holds",
    `${good}maps: { slots: 1 }`,
    "f:7:15: services[0].backends: expected at most 1 slots in total (the size of map slots), " +
      "but with these backends there are 2",
  ],
];

for (const [what, text, message] of files) {
  test(`refuses ${what}, with its place`, () => {
    const error = failure(text);
    // The wording of syntax errors is the YAML library's and may change.
    if (message.includes("not YAML"))
      assert.ok(error.message.startsWith(message.slice(0, message.indexOf("not YAML"))), error.message);
    else assert.is(error.message, message);
  });
}

test("holds as many services as there are indices", () => {
  const services = Array.from({ length: 65_535 }, (_, i) => ({
    name: `s${i}`,
    address: `100.0.${i >> 8}.${i & 255}`,
    port: 80,
    protocol: "tcp",
    backends: ["20.0.0.1:80"],
  }));
  assert.is(parseConfig(JSON.stringify({ services }), "f").services.length, 65_535);
});

test("names every mistake at once, in the order of the file", () => {
  const error = failure(`services:
  - name: web
    adress: 100.0.0.1
    port: 70000
    protocol: tcp
    backends: ["20.0.0.1:80", "20.0.0.1:80"]
  - name: web
    address: 100.0.0.2
    port: 1
    protocol: icmp
    backends: []
`);
  assert.is(
    error.message,
    `6 mistakes in the configuration
  f:2:5: services[0].address: expected an IPv4 or IPv6 unicast address such as 100.0.0.1 or fd00::1, but it is missing
  f:3:5: services[0].adress: expected no such field; did you mean address?
  f:4:11: services[0].port: expected a whole number from 1 to 65535, but found 70000
  f:6:31: services[0].backends[1]: expected each backend once, but services[0].backends[0] (line 6) is 20.0.0.1:80 too
  f:7:11: services[1].name: expected a unique name, but services[0] (line 2) is named "web" too
  f:10:15: services[1].protocol: expected one of tcp, udp, udplite, but found the text "icmp"`,
  );
});

test("does not follow aliases that multiply without bound", () => {
  const levels = Array.from(
    { length: 9 },
    (_, i) => `a${i + 1}: &a${i + 1} [${Array.from({ length: 9 }, () => `*a${i}`).join(", ")}]`,
  );
  assert.match(failure(`a0: &a0 [x]\n${levels.join("\n")}`).message, /alias/);
});

test("reports why a file cannot be read", () => {
  assert.throws(
    () => readConfig("/nonexistent.yaml"),
    (error: Error) =>
      error instanceof LoadBalancerError &&
      error.message === "cannot read the configuration /nonexistent.yaml: there is no such file",
  );
  assert.throws(
    () => readConfig("/"),
    (error: Error) => error.message === "cannot read the configuration /: it is a directory",
  );
});

test("reads regular files of at most 64 MiB, and waits for none", () =>
  withDirectory((directory) => {
    const refused = (file: string, reason: string) =>
      assert.throws(
        () => readConfig(file),
        (error: LoadBalancerError) =>
          error.message === `cannot read the configuration ${file}: ${reason}` && error.hint?.includes("--config"),
        file,
      );
    const fifo = join(directory, "fifo");
    execFileSync("mkfifo", [fifo]);
    refused(fifo, "it is a pipe, not a regular file");
    refused("/dev/zero", "it is a device, not a regular file");
    refused("/dev/null", "it is a device, not a regular file");
    const large = join(directory, "large.yaml");
    writeFileSync(large, good);
    truncateSync(large, 64 * 1024 * 1024 + 1);
    refused(large, "it has more than 67,108,864 bytes, the limit");
    symlinkSync("loop", join(directory, "loop"));
    refused(join(directory, "loop"), "its path has a loop of symbolic links");
    refused(join(large, "x"), "a part of its path is not a directory");
    writeFileSync(large, good);
    assert.is(readConfig(large).services.length, 2);
  }));

test("refuses a field that is given twice, in JSON as in YAML", () => {
  const twice = "Map keys must be unique, but ";
  for (const [text, ...problems] of [
    ['{"services": [],\n "services": []}', `f:2:2: not YAML: ${twice}"services" is given again`],
    ['services: []\n"services": []', `f:2:1: not YAML: ${twice}"services" is given again`],
    [
      '{"services": [{"name": "a\\"", "port": 1, "p\\u006frt": 2}],\n' +
        '"maps": {"slots": 1, "x": {"slots": 2}, "slots": 3}}',
      `f:1:42: not YAML: ${twice}"port" is given again`,
      `f:2:41: not YAML: ${twice}"slots" is given again`,
    ],
  ] as const)
    assert.equal(
      failure(text).problems.map(({ line, column, message }) => `f:${line}:${column}: ${message}`),
      problems,
    );
  assert.equal(parseConfig('{"services": [], "maps": {"slots": 1}, "options": {}}', "f").services, []);
});

test("lists 20 mistakes and says how many more there are", () => {
  const error = failure(JSON.stringify({ services: Array.from({ length: 787 }, () => 5) }));
  const lines = error.message.split("\n");
  assert.is(lines[0], "787 mistakes in the configuration");
  assert.is(lines.length, 22);
  assert.is(lines.at(-1), "  and 767 more");
  assert.is(error.problems.length, 787);
});

test("refuses deep nesting with its place, however it is written", () => {
  for (const [text, place] of [
    ["[".repeat(787), "f:1:65"],
    ["[".repeat(1_000_000), "f:1:65"],
    [`{"services": ${"[".repeat(200_000)}${"]".repeat(200_000)}}`, "f:1:77"],
    [`services:\n  ${"{a: ".repeat(100_000)}`, "f:2:259"],
    [`services:\n${"- ".repeat(100_000)}1`, "f:2:131"],
    [`services:\n${"? ".repeat(100_000)}1`, "f:2:131"],
    [Array.from({ length: 2_000 }, (_, i) => `${" ".repeat(i)}a:\n`).join(""), "f:130:130"],
  ] as const)
    assert.is(failure(text).message, `${place}: not YAML: nested deeper than 64 levels`, text.slice(0, 30));
  // Brackets in text and comments, and long lines, are not nesting.
  const brackets = "[".repeat(200);
  assert.equal(parseConfig(`services: [] # ${brackets}\nnode: "${brackets}"\n`, "f").node, brackets);
  assert.equal(parseConfig(`{"services": [], "node": "${brackets}"}`, "f").node, brackets);
  assert.equal(parseConfig(`services: []\nnode: x\n${" ".repeat(500)}# aside\n`, "f").node, "x");
});

test("turns the YAML parser's warnings into mistakes, and leaves standard error alone", () => {
  const write = process.stderr.write;
  let written = "";
  const warnings: string[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning.message);
  process.stderr.write = (text: string | Uint8Array) => ((written += String(text)), true);
  process.on("warning", onWarning);
  try {
    assert.match(failure("services: !backends []").message, /^f:1:11: not YAML: Unresolved tag: !backends$/);
    assert.match(failure("services: []\n? [a]\n: 1\n").message, /expected no such field/);
    assert.match(failure("%YAML 1.9\n---\nservices: []\n").message, /^f:1:7: not YAML: Unsupported YAML version 1.9$/);
  } finally {
    process.stderr.write = write;
    process.off("warning", onWarning);
  }
  assert.equal([written, warnings], ["", []]);
});

function failure(text: string): ConfigError {
  try {
    parseConfig(text, "f");
  } catch (error) {
    assert.instance(error, ConfigError);
    return error as ConfigError;
  }
  throw new Error("the configuration was taken");
}

test.run();
