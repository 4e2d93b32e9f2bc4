import { suite } from "uvu";
import * as assert from "uvu/assert";
import { hashOf, ServiceFlag, type FrontEnd, type ServiceDefinition } from "../model/index.ts";
import { skipEntries, sourceSeeds } from "./host-entries.ts";

const test = suite("host entries");

test("the seed of a network namespace is its first unshared IPv4 address, else its first unshared IPv6 address", () => {
  const local = ["127.0.0.1", "::1"];
  assert.equal(
    sourceSeeds([
      { cookie: 1n, addresses: [...local, "2001:db8::1", "169.254.1.1", "192.0.2.1", "192.0.2.2"] },
      { cookie: 2n, addresses: [...local, "2001:db8::2", "2001:db8::3"] },
      { cookie: 3n, addresses: local },
    ]),
    [
      [1n, hashOf("192.0.2.1")],
      [2n, hashOf("2001:db8::2")],
    ],
  );
});

const frontEnd = (address: string, port: number, flags: number, scope = 0): FrontEnd => ({
  address,
  port,
  scope,
  flags,
});
const service = (frontEnds: readonly FrontEnd[], ...backends: readonly string[]): ServiceDefinition => ({
  name: "web",
  protocol: "tcp",
  affinityTimeout: 0,
  frontEnds,
  backends: backends.map((address) => ({ address, port: 8080, weight: 1, state: "active" })),
});
const SKIP = ServiceFlag.SKIP_SELF;

test("a service passes through in its backends' namespaces, at each address that sockets can call", () => {
  const namespaces = [
    { cookie: 1n, addresses: ["127.0.0.1", "20.0.0.1", "20.0.0.2"] },
    { cookie: 2n, addresses: ["127.0.0.1", "20.0.0.2", "fd00::1"] },
    { cookie: 3n, addresses: ["127.0.0.1", "20.0.0.9"] },
  ];
  const services = [
    service(
      [frontEnd("100.0.0.1", 80, SKIP), frontEnd("192.0.2.1", 30_080, SKIP), frontEnd("0.0.0.0", 30_080, SKIP, 1)],
      "20.0.0.1",
      "20.0.0.2",
      "127.0.0.1",
    ),
    service([frontEnd("100.0.0.2", 80, 0)], "20.0.0.1"),
    service([frontEnd("fd00::5", 80, SKIP)], "fd00::1"),
    service([frontEnd("100.0.0.3", 80, SKIP)], "20.0.0.7"),
  ];
  const shown = (family: "ipv4" | "ipv6") =>
    skipEntries(family, services, namespaces).map(
      ([{ netnsCookie, address, port }, value]) => `${netnsCookie} ${address} ${port} ${value}`,
    );
  assert.equal(shown("ipv4"), ["1 100.0.0.1 80 1", "1 192.0.2.1 30080 1", "2 100.0.0.1 80 1", "2 192.0.2.1 30080 1"]);
  assert.equal(shown("ipv6"), ["2 fd00::5 80 1"]);
});

test.run();
