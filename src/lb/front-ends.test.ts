import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LoadBalancerError } from "./error.ts";
import { expandServices, hostAddresses, serviceFamily, type ServiceConfig } from "./front-ends.ts";
import { endpointText } from "./service.ts";

const test = suite("front ends");

const LOCAL = ["127.0.0.1", "::1", "192.0.2.1", "2001:db8::1"];
const service = (more: Partial<ServiceConfig>): ServiceConfig =>
  ({ name: "web", protocol: "tcp", externalAddresses: [], backends: [{ address: "20.0.0.1", port: 80, weight: 1, state: "active" }], affinityTimeout: 0, ...more });

const expanded = (...services: readonly Partial<ServiceConfig>[]) =>
  expandServices(services.map(service), LOCAL).map(({ frontEnds }) => frontEnds.map(({ scope, flags, ...endpoint }) => `${endpointText(endpoint)} ${scope} ${flags}`));

test("a cluster address is one", () => {
  assert.equal(expanded({ address: "100.0.0.1", port: 80 }), [["100.0.0.1:80 0 0"]]);
});

test("a node port is one on each local address of the family, and a mark for those who bind", () => {
  assert.equal(expanded({ nodePort: 30080 }), [["127.0.0.1:30080 0 1", "192.0.2.1:30080 0 1", "0.0.0.0:30080 1 1"]]);
  assert.equal(expanded({ address: "fd00::1", port: 80, nodePort: 30080, backends: [] }),
    [["[fd00::1]:80 0 0", "[::1]:30080 0 1", "[2001:db8::1]:30080 0 1", "[::]:30080 1 1"]]);
});

test("an external address is one at the service's port, and counts once where the node port is the same", () => {
  assert.equal(expanded({ port: 80, externalAddresses: ["192.0.2.1"] }), [["192.0.2.1:80 0 0"]]);
  assert.equal(expanded({ port: 80, nodePort: 80, externalAddresses: ["192.0.2.1"] }), [["192.0.2.1:80 0 0", "127.0.0.1:80 0 1", "0.0.0.0:80 1 1"]]);
});

test("an external address that is not the host's is refused", () => {
  assert.throws(() => expanded({ port: 443, externalAddresses: ["198.51.100.1"] }), (error: Error) =>
    error instanceof LoadBalancerError
    && error.message === 'service "web" may not have the external address 198.51.100.1: it is none of this host\'s, and connections of its processes to another host would be taken over'
    && error.hint === "nothing was changed; this host has 127.0.0.1, 192.0.2.1");
});

test("two services that meet in one address are refused", () => {
  assert.throws(() => expanded({ nodePort: 30080 }, { name: "other", address: "192.0.2.1", port: 30080 }), (error: Error) =>
    error instanceof LoadBalancerError && error.message === 'services "web" and "other" are both to be found at 192.0.2.1:30080/tcp');
  assert.is(expanded({ nodePort: 30080 }, { address: "192.0.2.1", port: 30080, protocol: "udp" }).length, 2);
});

test("the family is that of the addresses, or of the backends", () => {
  assert.is(serviceFamily(service({ address: "fd00::1", backends: [] })), "ipv6");
  assert.is(serviceFamily(service({ backends: [{ address: "fd00::1", port: 80, weight: 1, state: "active" }] })), "ipv6");
  assert.is(serviceFamily(service({ backends: [] })), "ipv4");
});

test("the host has its loopback addresses, and none that needs an interface beside it", () => {
  const addresses = hostAddresses();
  assert.ok(addresses.includes("127.0.0.1") && addresses.includes("::1"));
  assert.is(new Set(addresses).size, addresses.length);
  assert.not(addresses.some((address) => address.startsWith("fe80:")));
});

test.run();
