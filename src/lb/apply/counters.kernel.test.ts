/** Counters of services that come and go, and the reported use of maps. */
import { once } from "node:events";
import * as assert from "uvu/assert";
import { errnoOf } from "../../../programs/testing/index.ts";
import { findPython } from "../../../programs/testing/python.ts";
import { familyMaps } from "./maps.ts";
import { OWNER } from "../index.ts";
import { loadBalancerMetrics } from "../observe/index.ts";
import { PinDirectory } from "../../loader/index.ts";
import { eventually, startIn, toolSuite } from "../../testing/index.ts";
import { withLoaded } from "../testing/loaded.ts";

const test = toolSuite("counters of services", ["python3"], { kernel: true });

const ADDRESSES = ["20.0.0.1", "20.0.0.2", "fd00:20::1"];
const backends = ["20.0.0.1:53", "20.0.0.2:53"];
const backends6 = ["[fd00:20::1]:53"];
const SERVICE = { address: "100.0.0.1", port: 53 };
const SERVICE6 = { address: "fd00:100::1", port: 53 };
const OTHER = { address: "100.0.0.2", port: 53 };
const dns = { name: "dns", ...SERVICE, protocol: "udp", backends };
const dns6 = { name: "dns6", ...SERVICE6, protocol: "udp", backends: backends6 };
const options = { metrics: true };

/** A service's counters that are not 0; undefined if there is no such service. */
function counted(pins: string, name: string): Record<string, number> | undefined {
  const service = loadBalancerMetrics(pins).services.find((each) => each.name === name);
  return (
    service &&
    Object.fromEntries(
      Object.entries(service.counters)
        .filter(([, total]) => total > 0n)
        .map(([counter, total]) => [counter, Number(total)]),
    )
  );
}

test("each service has its counters: they continue when it changes and go when it goes", () =>
  withLoaded(ADDRESSES, { udp: [...backends, ...backends6] }, async ({ load, status, client, pins }) => {
    await load({ services: [dns, dns6], options });
    const ask = async (service: typeof SERVICE, family: 4 | 6 = 4) =>
      void (await (await client.open("udp", family)).exchange("hello", service));
    await ask(SERVICE);
    await ask(SERVICE);
    await ask(SERVICE6, 6);
    // Each is the first of its family and has its first index.
    assert.equal(
      status().services.map(({ revNatIndex }) => revNatIndex),
      [1, 1],
    );
    assert.equal(counted(pins, "dns"), { translated: 2, replies: 2 });
    assert.equal(counted(pins, "dns6"), { translated: 1, replies: 1 });
    assert.equal(
      status().services.map(({ counters }) => counters!.translated),
      [2n, 1n],
    );

    await load({ services: [{ ...dns, backends: [] }, dns6], options });
    assert.is(await errnoOf((await client.open("udp")).connect(SERVICE)), "EHOSTUNREACH");
    assert.equal(counted(pins, "dns"), { translated: 2, noBackend: 1, replies: 2 });

    // The next service gets this one's index.
    await load({ services: [dns6], options });
    assert.is(counted(pins, "dns"), undefined);
    using allocation = PinDirectory.open(pins, OWNER)!.map(familyMaps.ipv4.allocation);
    allocation.set(0, { ...allocation.get(0)!, nextRevNatIndex: 1 });
    await load({ services: [dns6, { ...dns, name: "other", ...OTHER }], options });
    assert.is(status().services.find(({ name }) => name === "other")!.revNatIndex, 1);
    assert.equal(counted(pins, "other"), {});
    await ask(OTHER);
    assert.equal(counted(pins, "other"), { translated: 1, replies: 1 });
    assert.equal(counted(pins, "dns6"), { translated: 1, replies: 1 });

    // Replaced in one step by a service that takes over its index.
    allocation.set(0, { ...allocation.get(0)!, nextRevNatIndex: 1 });
    await load({ services: [dns6, dns], options });
    assert.is(status().services.find(({ name }) => name === "dns")!.revNatIndex, 1);
    assert.equal(counted(pins, "dns"), {});
  }));

test("without options.metrics nothing is counted; counting starts again at 0", () =>
  withLoaded(ADDRESSES, { udp: backends }, async ({ load, status, client, pins }) => {
    await load({ services: [dns] });
    assert.throws(() => loadBalancerMetrics(pins), /the loaded programs do not count/);
    assert.is(status().services[0]!.counters, undefined);
    assert.not(status().maps.some(({ name }) => name === "metrics"));
    await load({ services: [dns], options });
    assert.equal(counted(pins, "dns"), {});
    await (await client.open("udp")).exchange("hello", SERVICE);
    assert.equal(counted(pins, "dns"), { translated: 1, replies: 1 });
    await load({ services: [dns] });
    await load({ services: [dns], options });
    assert.equal(counted(pins, "dns"), {});
  }));

test("how full the maps are agrees with a walk through them", () =>
  withLoaded(ADDRESSES, { udp: [...backends, ...backends6] }, async ({ load, status, client, pins }) => {
    const services = [
      {
        ...dns,
        affinity: { timeout: 60 },
        closeSockets: true,
        backends: [
          { address: backends[0], weight: 3 },
          { address: backends[1], state: "maintenance" },
        ],
      },
      { ...dns, name: "other", ...OTHER },
      dns6,
    ];
    await load({ services, options });
    for (let i = 0; i < 40; i++) await (await client.open("udp")).connect(i % 2 === 0 ? SERVICE : OTHER);
    const { maps } = status();
    const directory = PinDirectory.open(pins, OWNER)!;
    for (const definition of Object.values(familyMaps).flatMap((family) => Object.values(family))) {
      const found = maps.find(({ name }) => name === definition.name);
      if (found?.use === undefined || definition.name.startsWith("slots")) continue;
      using map = directory.map(definition);
      assert.is(found.use.used, map.count(), definition.name);
    }
    const used = (name: string) => maps.find((map) => map.name === name)!.use!.used;
    assert.equal(
      [
        "services",
        "slots",
        "backends",
        "backend_settings",
        "affinity",
        "connections",
        "cilium_lb4_reverse_sk",
        "metrics",
        "services6",
        "slots6",
      ].map(used),
      [2, 3, 3, 2, 1, 20, 40, 3, 1, 1],
    );
    assert.equal(
      loadBalancerMetrics(pins).maps.map(({ name, used }) => [name, used]),
      maps.filter(({ use }) => use !== undefined).map(({ name, use }) => [name, use!.used]),
    );
  }));

/** Asks a service from this many sockets, keeps them open until standard input ends. */
const FLOOD = `
import socket, sys
sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(int(sys.argv[1]))]
for handle in sockets:
    handle.sendto(b"?", (sys.argv[2], int(sys.argv[3])))
print("asked", flush=True)
sys.stdin.read()
`;

test("status tells evictions: counted ones, and full maps in any case", () =>
  withLoaded(ADDRESSES, { udp: backends }, async ({ load, status, place }) => {
    for (const metrics of [false, true]) {
      await load({ services: [dns], options: { metrics, ipv6: false } });
      assert.equal(status().evictions, { reverseEntries: metrics ? 0n : undefined, fullMaps: [] });
      // The reverse map of these tests has room for 512.
      const flood = startIn(place, findPython()!, "-c", FLOOD, "900", SERVICE.address, String(SERVICE.port));
      await once(flood.stdout!, "data");
      assert.equal(status().evictions.fullMaps, ["cilium_lb4_reverse_sk"]);
      flood.stdin!.end();
      await once(flood, "exit");
      await eventually(() => assert.equal(status().evictions.fullMaps, []));
      if (metrics) await eventually(() => assert.ok(status().evictions.reverseEntries! >= 900n - 512n));
    }
  }));

test.run();
