/** Session affinity and node ports. */
import * as assert from "uvu/assert";
import { errnoOf } from "../../programs/testing/index.ts";
import { runScriptIn, toolSuite } from "../testing/index.ts";
import { withLoaded } from "./testing/loaded.ts";

const test = toolSuite("kinds of services", ["python3"], { kernel: true });

const ADDRESSES = ["20.0.0.1", "20.0.0.2", "20.0.0.3"];
const endpoints = ADDRESSES.map((address) => `${address}:53`);
const SERVICE = { address: "100.0.0.1", port: 53 };

test("session affinity: all sockets of a network namespace have the same backend", () =>
  withLoaded(ADDRESSES, { udp: endpoints }, async ({ load, status, client }) => {
    const service = { name: "dns", ...SERVICE, protocol: "udp", backends: endpoints };
    const answers = async () => {
      const seen = new Set<string>();
      for (let i = 0; i < 16; i++) seen.add((await (await client.open("udp")).exchange("hello", SERVICE)).text);
      return seen.size;
    };
    const hasMap = () => status().maps.some(({ name }) => name === "affinity");
    await load({ services: [service] });
    // 16 sockets select the same of three backends with a chance of 3 to the power of -15.
    assert.ok((await answers()) > 1);
    assert.not(hasMap());
    await load({ services: [{ ...service, affinity: { timeout: 60 } }] });
    assert.is(await answers(), 1);
    assert.ok(hasMap());
    assert.is(status().services[0]!.affinityTimeout, 60);
    await load({ services: [service] });
    assert.ok((await answers()) > 1);
    assert.not(hasMap());
  }));

test("a node port serves on every host address of its family, and no process can bind it", () =>
  withLoaded([...ADDRESSES, "fd00:20::1"], { udp: endpoints }, async ({ load, status, client, place }) => {
    const backends = ["20.0.0.3:53"];
    await load({
      services: [
        { name: "dns", nodePort: 30053, externalAddresses: ["20.0.0.2"], port: 5353, protocol: "udp", backends },
      ],
    });
    for (const asked of [
      { address: "20.0.0.1", port: 30053 },
      { address: "127.0.0.1", port: 30053 },
      { address: "0.0.0.0", port: 30053 },
      { address: "20.0.0.2", port: 5353 },
    ]) {
      const socket = await client.open("udp");
      assert.equal(await socket.exchange("hello", asked), { text: backends[0], ...asked });
      await socket.connect(asked);
      assert.equal(await socket.peer(), asked);
    }
    const [dns] = status().services;
    assert.equal(dns!.frontEnds, [
      "20.0.0.2:5353",
      ...["127.0.0.1", ...ADDRESSES, "0.0.0.0"].map((address) => `${address}:30053`),
    ]);
    assert.is(dns!.nodePort, 30053);
    const bind = (type: string, port: number, address: string) =>
      runScriptIn<string>(
        place,
        `
    import { createSocket } from "node:dgram";
    const socket = createSocket("${type}");
    socket.on("error", ({ code }) => console.log(JSON.stringify(code)));
    socket.bind(${port}, "${address}", () => { console.log('"bound"'); socket.close(); });
  `,
      );
    assert.is(await bind("udp4", 30053, "0.0.0.0"), "EPERM");
    assert.is(await bind("udp4", 30053, "20.0.0.1"), "EPERM");
    assert.is(await bind("udp6", 30053, "::"), "EPERM");
    assert.is(await bind("udp4", 30054, "0.0.0.0"), "bound");

    await load({ services: [{ name: "dns", ...SERVICE, protocol: "udp", backends }] });
    assert.is(await bind("udp4", 30053, "0.0.0.0"), "bound");
    const socket = await client.open("udp");
    await socket.connect({ address: "20.0.0.1", port: 30053 });
    assert.is(await errnoOf(socket.exchange("hello")), "ECONNREFUSED", "nothing listens any more");
    assert.equal(status().services[0]!.frontEnds, ["100.0.0.1:53"]);
  }));

test.run();
