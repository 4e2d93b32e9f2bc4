/** The effect of a reload on open sockets. */
import * as assert from "uvu/assert";
import { errnoOf, type ClientSocket } from "../../programs/testing/index.ts";
import { toolSuite } from "../testing/index.ts";
import { withLoaded } from "./testing/loaded.ts";
import { reverseEntries } from "./testing/reverse-entries.ts";

const test = toolSuite("reload", ["python3"], { kernel: true });

const SERVICE = { address: "100.0.0.1", port: 53 };
const ADDRESSES = ["20.0.0.1", "20.0.0.2", "20.0.0.3"];
const endpoints = (addresses: readonly string[]) => addresses.map((address) => `${address}:53`);
const dns = (backends: readonly unknown[]) => ({ services: [{ name: "dns", ...SERVICE, protocol: "udp", backends }] });

test("an unconnected UDP socket keeps its backend while others come and go, and leaves it when it is removed", () =>
  withLoaded(ADDRESSES, { udp: endpoints(ADDRESSES) }, async ({ load, client, status }) => {
    await load(dns(endpoints(ADDRESSES)));
    const sockets = await Promise.all([1, 2, 3, 4, 5, 6].map(() => client.open("udp")));
    const ask = async (i: number) => {
      const { text, ...source } = await sockets[i]!.exchange("hello", SERVICE);
      assert.equal(source, SERVICE);
      return text.split(":")[0]!;
    };
    const own: string[] = [];
    for (const i of sockets.keys()) own.push(await ask(i));
    const [kept] = own as [string];
    const [first, second] = ADDRESSES.filter((address) => address !== kept) as [string, string];
    // Slots and their number change each time: a socket that selected again would not always get the same backend.
    for (const addresses of [[first, kept], [second, first, kept], [kept], [kept, second], [first, kept, second]]) {
      assert.is((await load(dns(endpoints(addresses)))).services.changed, 1);
      for (const [i, before] of own.entries()) {
        const answer = await ask(i);
        if (addresses.includes(before))
          assert.is(answer, before, `socket ${i}, with the backends ${addresses.join(", ")}`);
        else assert.ok(addresses.includes(answer), `socket ${i} was answered by ${answer}`);
        own[i] = answer;
      }
    }
    await load(dns(endpoints([first, second])));
    for (const i of sockets.keys()) assert.is.not(await ask(i), kept);
    assert.is(reverseEntries(status())[0], sockets.length);
  }));

test("a terminating backend keeps its sockets and gets no new ones; one in maintenance loses them", () =>
  withLoaded(ADDRESSES, { udp: endpoints(ADDRESSES) }, async ({ load, client, status }) => {
    const [one, two] = endpoints(ADDRESSES) as [string, string];
    const ask = async (socket?: Awaited<ReturnType<typeof client.open>>) =>
      (await (socket ?? (await client.open("udp"))).exchange("hello", SERVICE)).text;
    await load(dns([two]));
    const old = await client.open("udp");
    assert.is(await ask(old), two);
    const shown = () =>
      status()
        .services[0]!.backends.map(({ endpoint, weight, state }) => `${endpoint} ${weight} ${state}`)
        .sort();

    await load(
      dns([
        { address: one, weight: 3 },
        { address: two, state: "terminating" },
      ]),
    );
    assert.equal(shown(), [`${one} 3 active`, `${two} 1 terminating`]);
    assert.is(await ask(old), two);
    for (let i = 0; i < 8; i++) assert.is(await ask(), one);

    await load(
      dns([
        { address: one, state: "maintenance" },
        { address: two, state: "terminating" },
      ]),
    );
    assert.equal(shown(), [`${one} 1 maintenance`, `${two} 1 terminating`]);
    assert.is(await ask(), two, "the last one takes new ones though it is terminating");

    await load(
      dns([
        { address: one, weight: 3 },
        { address: two, state: "quarantined" },
      ]),
    );
    assert.equal(shown(), [`${one} 3 active`, `${two} 1 quarantined`]);
    assert.is(await ask(old), one);

    await load(
      dns([
        { address: one, state: "maintenance" },
        { address: two, state: "quarantined" },
      ]),
    );
    assert.is(await errnoOf(ask(old)), "EHOSTUNREACH");
  }));

test("without IPv6, its programs and maps go, and IPv4 stays", () =>
  withLoaded(
    ["20.0.0.1", "fd00:20::1"],
    { udp: ["20.0.0.1:53", "[fd00:20::1]:53"], tcp: ["[fd00:20::1]:53"] },
    async ({ load, client, status }) => {
      const [SERVICE6, BACKEND6] = [
        { address: "fd00:100::1", port: 53 },
        { address: "fd00:20::1", port: 53 },
      ];
      const both = {
        services: [
          { name: "dns", ...SERVICE, protocol: "udp", backends: ["20.0.0.1:53"] },
          { name: "dns6", ...SERVICE6, protocol: "udp", backends: ["[fd00:20::1]:53"] },
          { name: "web6", ...SERVICE6, protocol: "tcp", backends: ["[fd00:20::1]:53"] },
        ],
      };
      await load(both);
      const socket6 = await client.open("udp", 6);
      assert.equal(await socket6.exchange("hello", SERVICE6), { text: "[fd00:20::1]:53", ...SERVICE6 });
      const mapped = { ...SERVICE, address: `::ffff:${SERVICE.address}` };
      assert.equal(
        await socket6.exchange("hello", mapped),
        { text: "20.0.0.1:53", ...mapped },
        "an IPv6 socket, with an IPv4 service",
      );
      const tcp = await client.open("tcp", 6);
      await tcp.connect(SERVICE6);
      assert.equal(await tcp.peer(), BACKEND6);
      assert.equal(
        status().services.map(({ name, family, frontEnds, backends }) => [
          name,
          family,
          frontEnds,
          backends.map(({ endpoint }) => endpoint),
        ]),
        [
          ["dns", "ipv4", ["100.0.0.1:53"], ["20.0.0.1:53"]],
          ["dns6", "ipv6", ["[fd00:100::1]:53"], ["[fd00:20::1]:53"]],
          ["web6", "ipv6", ["[fd00:100::1]:53"], ["[fd00:20::1]:53"]],
        ],
      );
      assert.equal(reverseEntries(status()), [1, 1]);

      await load({ services: both.services.slice(0, 1), options: { ipv6: false } });
      const { programs, maps } = status();
      assert.equal(
        programs.map(({ name }) => name),
        ["connect4", "sendmsg4", "recvmsg4", "getpeername4", "sock_release"],
      );
      assert.equal(
        maps.filter(({ name }) => /6$|lb6/.test(name)),
        [],
      );
      assert.is((await (await client.open("udp")).exchange("hello", SERVICE)).text, "20.0.0.1:53");
      assert.is.not(
        await errnoOf((await client.open("tcp", 6)).connect(SERVICE6)),
        undefined,
        "nobody has this address",
      );

      assert.equal((await load({ ...both, options: { getpeername: "service" } })).services, {
        added: 2,
        changed: 0,
        removed: 0,
        unchanged: 1,
      });
      const named = await client.open("tcp", 6);
      await named.connect(SERVICE6);
      assert.equal(await named.peer(), SERVICE6);
    },
  ));

test("reverseEntries changes both ways: open sockets go on, and leave nothing", () =>
  withLoaded(["20.0.0.1"], { udp: ["20.0.0.1:53"] }, async ({ load, client, status }) => {
    const config = (reverse: "all" | "older") => ({
      services: [{ name: "dns", ...SERVICE, protocol: "udp", backends: ["20.0.0.1:53"] }],
      options: { reverseEntries: reverse },
    });
    const used = () => reverseEntries(status())[0];
    const ask = async (socket: ClientSocket) =>
      assert.equal(await socket.exchange("hello", SERVICE), { text: "20.0.0.1:53", ...SERVICE });
    await load(config("all"));
    const [first, second] = [await client.open("udp"), await client.open("udp")];
    await ask(first);
    assert.is(used(), 1);
    await load(config("older"));
    await ask(first);
    await ask(second);
    assert.is(used(), 1);
    await first.close();
    assert.is(used(), 0);
    await load(config("all"));
    const third = await client.open("udp");
    for (const socket of [second, third]) await ask(socket);
    assert.is(used(), 1, "the flow that was not entered is not missed");
    for (const socket of [second, third]) await socket.close();
    assert.is(used(), 0);
  }));

test.run();
