import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LoadBalancerError } from "./error.ts";
import { expandServices, serviceFamily } from "./front-ends.ts";
import { endpointText, ServiceFlag, type Backend, type Service } from "./service.ts";

const test = suite("front ends");

const LOCAL = ["127.0.0.1", "::1", "192.0.2.1", "2001:db8::1"];
const backend = (n: number, node?: string): Backend => ({
  address: `20.0.0.${n}`,
  port: 80,
  weight: 1,
  state: "active",
  ...(node !== undefined && { node }),
});
const service = (more: Partial<Service>): Service => ({
  name: "web",
  protocol: "tcp",
  externalAddresses: [],
  backends: [backend(1)],
  affinityTimeout: 0,
  ...more,
});

const expand = (...services: readonly Partial<Service>[]) =>
  expandServices({ services: services.map(service), node: "here", options: { maglevTableSize: 251 } }, LOCAL);

/** `address:port SCOPE FLAG…`, in lower case. */
const text = ({ scope, flags, ...endpoint }: { address: string; port: number; scope: number; flags: number }) =>
  [
    endpointText(endpoint),
    ...(scope === 0 ? [] : ["mark"]),
    ...Object.entries(ServiceFlag)
      .filter(([, bit]) => flags & bit)
      .map(([name]) => name.toLowerCase()),
  ].join(" ");

const expanded = (...services: readonly Partial<Service>[]) =>
  expand(...services).map(({ frontEnds }) => frontEnds.map(text));

test("a cluster address is one front end", () => {
  assert.equal(expanded({ address: "100.0.0.1", port: 80 }), [["100.0.0.1:80"]]);
});

test("a node port has a front end on each local address, some for the host alone, and a mark for bind", () => {
  assert.equal(expanded({ nodePort: 30080 }), [
    [
      "127.0.0.1:30080 node_port host_namespace",
      "0.0.0.0:30080 node_port host_namespace",
      "192.0.2.1:30080 node_port",
      "0.0.0.0:30080 mark node_port",
    ],
  ]);
  assert.equal(expanded({ address: "fd00::1", port: 80, nodePort: 30080, backends: [] }), [
    [
      "[fd00::1]:80",
      "[::1]:30080 node_port host_namespace",
      "[::]:30080 node_port host_namespace",
      "[2001:db8::1]:30080 node_port",
      "[::]:30080 mark node_port",
    ],
  ]);
});

test("an external address is a front end at the service's port, once if the node port is the same", () => {
  assert.equal(expanded({ port: 80, externalAddresses: ["192.0.2.1"] }), [["192.0.2.1:80"]]);
  assert.equal(expanded({ port: 80, nodePort: 80, externalAddresses: ["192.0.2.1"] }), [
    [
      "192.0.2.1:80",
      "127.0.0.1:80 node_port host_namespace",
      "0.0.0.0:80 node_port host_namespace",
      "0.0.0.0:80 mark node_port",
    ],
  ]);
  assert.equal(expanded({ port: 80, externalAddresses: ["127.0.0.2"] }), [["127.0.0.2:80 host_namespace"]]);
});

test("a host port is a front end on each local address of the family, or on one, without a mark", () => {
  const host = ["127.0.0.1:8080 host_namespace host_port", "0.0.0.0:8080 host_namespace host_port"];
  assert.equal(expanded({ hostPort: 8080 }), [[...host, "192.0.2.1:8080 host_port"]]);
  assert.equal(expanded({ hostPort: 8080, hostIP: "192.0.2.1" }), [["192.0.2.1:8080 host_port"]]);
  assert.equal(expanded({ hostPort: 8080, hostIP: "127.0.0.1" }), [host]);
  assert.equal(expanded({ hostPort: 8080, hostIP: "127.0.0.2" }), [["127.0.0.2:8080 host_namespace host_port"]]);
  assert.equal(expanded({ hostPort: 8080, hostIP: "::1", backends: [] }), [
    ["[::1]:8080 host_namespace host_port", "[::]:8080 host_namespace host_port"],
  ]);
});

test("a host port with an unspecified hostIP is as one without", () => {
  for (const hostIP of ["0.0.0.0", "::", "0:0::0", "::0.0.0.0"])
    assert.equal(expanded({ hostPort: 8080, hostIP }), expanded({ hostPort: 8080 }), hostIP);
});

test("a service's flags are on each of its front ends", () => {
  const [definition] = expand({
    address: "100.0.0.1",
    port: 80,
    nodePort: 30080,
    closeSockets: true,
    skipSelf: true,
    algorithm: "maglev",
  });
  const common = ServiceFlag.CLOSE_SOCKETS | ServiceFlag.SKIP_SELF | ServiceFlag.MAGLEV;
  assert.equal(
    definition!.frontEnds.map(({ flags }) => flags & common),
    new Array(5).fill(common),
  );
  assert.is(definition!.maglevTableSize, 251);
  assert.not.ok("maglevTableSize" in expand({ address: "100.0.0.1", port: 80, algorithm: "random" })[0]!);
});

const BACKENDS = [backend(1, "here"), backend(2, "elsewhere"), backend(3)];
const shown = (...services: readonly Partial<Service>[]) =>
  expand(...services).map(
    ({ frontEnds, backends }) =>
      `${frontEnds.map(text).join(", ")} -> ${backends.map(({ address }) => address.at(-1)).join("")}`,
  );

test("a local traffic policy limits the address or the node port; other addresses have every backend", () => {
  const all = {
    address: "100.0.0.1",
    port: 80,
    nodePort: 30080,
    externalAddresses: ["192.0.2.1"],
    hostPort: 8080,
    hostIP: "192.0.2.1",
    backends: BACKENDS,
  };
  const [address, external, host] = ["100.0.0.1:80", "192.0.2.1:80", "192.0.2.1:8080 host_port"];
  const nodePort = (scope: string) =>
    `127.0.0.1:30080 node_port host_namespace${scope}, 0.0.0.0:30080 node_port host_namespace${scope}, ` +
    `192.0.2.1:30080 node_port${scope}, 0.0.0.0:30080 mark node_port${scope}`;
  assert.equal(shown({ ...all, internalTrafficPolicy: "cluster" }), [
    `${address}, ${external}, ${host}, ${nodePort("")} -> 123`,
  ]);
  assert.equal(shown({ ...all, internalTrafficPolicy: "local" }), [
    `${external}, ${host}, ${nodePort("")} -> 123`,
    `${address} local_scope -> 1`,
  ]);
  assert.equal(shown({ ...all, externalTrafficPolicy: "local" }), [
    `${address}, ${external}, ${host} -> 123`,
    `${nodePort(" local_scope")} -> 1`,
  ]);
  assert.equal(
    shown({
      ...all,
      internalTrafficPolicy: "local",
      externalTrafficPolicy: "local",
      backends: [backend(2, "elsewhere")],
    }),
    [`${external}, ${host} -> 2`, `${address} local_scope, ${nodePort(" local_scope")} -> `],
  );
  assert.equal(
    expand({ ...all, externalTrafficPolicy: "local" }).map(({ name }) => name),
    ["web", "web"],
  );
  assert.equal(expand({ ...all, externalTrafficPolicy: "local" })[1]!.backends, [
    { address: "20.0.0.1", port: 80, weight: 1, state: "active" },
  ]);
});

test("a local redirect has the backends of this node; without any it is not a service", () => {
  const redirect = { address: "169.254.20.10", port: 53, localRedirect: true };
  assert.equal(shown({ ...redirect, backends: BACKENDS }), ["169.254.20.10:53 local_scope local_redirect -> 1"]);
  assert.equal(shown({ ...redirect, backends: BACKENDS.slice(1) }, { name: "other", address: "100.0.0.1", port: 1 }), [
    "100.0.0.1:1 -> 1",
  ]);
});

test("refuses an external or host address of another host", () => {
  for (const [what, more] of [
    ["external", { port: 443, externalAddresses: ["198.51.100.1"] }],
    ["host", { hostPort: 443, hostIP: "198.51.100.1" }],
  ] as const) {
    assert.throws(
      () => expanded(more),
      (error: Error) =>
        error instanceof LoadBalancerError &&
        error.message ===
          `service "web" may not have the ${what} address 198.51.100.1: it is not an address of this host, ` +
            "and this host's own connections to that address would be redirected" &&
        error.hint === "nothing was changed; this host has 127.0.0.1, 192.0.2.1",
    );
  }
});

test("refuses two services with the same address and port", () => {
  assert.throws(
    () => expanded({ nodePort: 30080 }, { name: "other", address: "192.0.2.1", port: 30080 }),
    (error: Error) =>
      error instanceof LoadBalancerError &&
      error.message === 'services "web" and "other" both have the address 192.0.2.1:30080/tcp',
  );
  assert.throws(
    () => expanded({ hostPort: 8080, hostIP: "192.0.2.1" }, { name: "other", nodePort: 8080 }),
    /both have the address 192\.0\.2\.1:8080\/tcp/,
  );
  assert.is(expanded({ nodePort: 30080 }, { address: "192.0.2.1", port: 30080, protocol: "udp" }).length, 2);
});

test("the addresses decide the family, else the backends", () => {
  assert.is(serviceFamily(service({ address: "fd00::1", backends: [] })), "ipv6");
  assert.is(serviceFamily(service({ hostIP: "fd00::1", backends: [] })), "ipv6");
  assert.is(
    serviceFamily(service({ backends: [{ address: "fd00::1", port: 80, weight: 1, state: "active" }] })),
    "ipv6",
  );
  assert.is(serviceFamily(service({ backends: [] })), "ipv4");
});

test.run();
