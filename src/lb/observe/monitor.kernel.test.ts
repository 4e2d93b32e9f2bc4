/** Translation events of real sockets. */
import { once } from "node:events";
import { statSync } from "node:fs";
import * as assert from "uvu/assert";
import { events as ring } from "../../../programs/index.ts";
import type { SocketClient } from "../../../programs/testing/index.ts";
import { mapInfo, objectIds, openById } from "../../kernel/index.ts";
import { PinDirectory } from "../../loader/index.ts";
import { eventually, startIn, toolSuite, TSX } from "../../testing/index.ts";
import { Monitor, OWNER, type Status, type TranslationEvent } from "../index.ts";
import { withLoaded, type Loaded } from "../testing/loaded.ts";
import { withSteadyTraffic } from "../testing/steady-traffic.ts";

const test = toolSuite("listening to translations", ["python3"], { kernel: true });

const ADDRESSES = ["20.0.0.1", "fd00:20::1"];
const servers = { tcp: ["20.0.0.1:80"], udp: ["20.0.0.1:53", "[fd00:20::1]:53"] };
const DNS = { address: "100.0.0.1", port: 53 };
const DNS6 = { address: "fd00:100::1", port: 53 };
const WEB = { address: "100.0.0.1", port: 80 };
const services = [
  { name: "dns", ...DNS, protocol: "udp", backends: ["20.0.0.1:53"] },
  { name: "dns6", ...DNS6, protocol: "udp", backends: ["[fd00:20::1]:53"] },
  { name: "web", ...WEB, protocol: "tcp", backends: ["20.0.0.1:80"] },
];

/** Tests of IPv4 do without IPv6 programs, whose build takes time. */
const ipv4 = { services: services.filter(({ name }) => name !== "dns6"), options: { ipv6: false } };

type Listened = Loaded & { readonly monitor: Monitor };

const withMonitor = (work: (listened: Listened) => Promise<void>, wanted: object = ipv4) =>
  withLoaded(ADDRESSES, servers, async (loaded) => {
    await loaded.load(wanted);
    const monitor = await Monitor.open(loaded.pins);
    try {
      await work({ ...loaded, monitor });
    } finally {
      await monitor.close();
    }
  });

const text = ({ kind, service, protocol, original, translated }: TranslationEvent): string =>
  `${kind} ${service} ${protocol} ${original}${translated === undefined ? "" : ` -> ${translated}`}`;

/** The events of a datagram to a service and of its reply. */
const told = [
  "pre-forward dns udp 100.0.0.1:53",
  "post-forward dns udp 100.0.0.1:53 -> 20.0.0.1:53",
  "pre-reverse dns udp 20.0.0.1:53",
  "post-reverse dns udp 20.0.0.1:53 -> 100.0.0.1:53",
];

const exchange = async (client: SocketClient) => void (await (await client.open("udp")).exchange("hello", DNS));
const programIds = ({ programs }: Status): number[] => programs.map(({ id }) => id);

test("each translation is an event, in order, with its socket, process, cgroup and network namespace", () =>
  withMonitor(
    async ({ monitor, client, place }) => {
      const socket = await client.open("udp");
      await socket.exchange("hello", DNS);
      const events = monitor.read();
      assert.equal(events.map(text), told);
      for (const [i, event] of events.entries()) {
        assert.is(event.cookie, socket.cookie, "SO_COOKIE");
        assert.is(event.cgroupId, statSync(place.cgroup, { bigint: true }).ino);
        assert.is(event.pid, client.pid);
        assert.is(event.netnsCookie, events[0]!.netnsCookie);
        assert.ok(i === 0 || event.time > events[i - 1]!.time);
        assert.ok(event.time < process.hrtime.bigint() && event.time > process.hrtime.bigint() - 60_000_000_000n);
      }

      const socket6 = await client.open("udp", 6);
      await socket6.exchange("hello", DNS6);
      await socket6.exchange("hello", { address: `::ffff:${DNS.address}`, port: DNS.port });
      const stream = await client.open("tcp");
      await stream.connect(WEB);
      const later = monitor.read();
      assert.equal(later.map(text), [
        "pre-forward dns6 udp [fd00:100::1]:53",
        "post-forward dns6 udp [fd00:100::1]:53 -> [fd00:20::1]:53",
        "pre-reverse dns6 udp [fd00:20::1]:53",
        "post-reverse dns6 udp [fd00:20::1]:53 -> [fd00:100::1]:53",
        ...told,
        "pre-forward web tcp 100.0.0.1:80",
        "post-forward web tcp 100.0.0.1:80 -> 20.0.0.1:80",
      ]);
      assert.equal([...new Set(later.map(({ cookie }) => cookie))], [socket6.cookie, stream.cookie]);
      assert.is(monitor.lost, 0n);
      assert.is(await monitor.check(), "listening");
    },
    { services },
  ));

test("the programs replace the plain ones and restore them; open sockets go on", () =>
  withLoaded(ADDRESSES, servers, async ({ load, status, client, pins }) => {
    await load({ ...ipv4, options: { ...ipv4.options, metrics: true } });
    const plain = programIds(status());
    const socket = await client.open("udp");
    await socket.exchange("hello", DNS);
    const monitor = await Monitor.open(pins);
    assert.is(status().events, "on");
    assert.equal(
      status()
        .programs.filter(({ id }) => plain.includes(id))
        .map(({ name }) => name),
      ["sock_release"],
      "which has nothing to tell",
    );
    await socket.exchange("hello", DNS);
    assert.equal(monitor.read().map(text), told);
    await monitor.close();
    assert.is(status().events, "off");
    assert.equal(programIds(status()), plain);
    assert.not(status().maps.some(({ name }) => name === ring.name));
    await socket.exchange("hello", DNS);
    assert.is(status().services[0]!.counters!.translated, 3n, "counted all the while");
  }));

test("one monitor listens at a time; after a killed one, the next takes over and restores the plain programs", () =>
  withMonitor(async ({ load, monitor, status, pins, client }) => {
    const error = await Monitor.open(pins).then(
      () => undefined,
      (reason: unknown) => reason as Error,
    );
    assert.match(error!.message, /another monitor listens/);
    assert.is(await monitor.check(), "listening");
    await monitor.close();

    const plain = programIds(status());
    await killedMonitor(pins);
    assert.is(status().events, "off");
    await exchange(client);
    const next = await Monitor.open(pins);
    await exchange(client);
    assert.equal(next.read().map(text), told);
    await next.close();
    assert.is(status().events, "off");
    assert.equal(programIds(status()), plain);

    await killedMonitor(pins);
    await load(ipv4);
    const directory = PinDirectory.open(pins, OWNER)!;
    const pinned = directory.names("programs").map((name) => directory.programInfo(name).id);
    assert.equal(new Set(programIds(status())), new Set(pinned), "the pinned programs run");
  }));

test("the kernel drops the programs of a killed monitor, and every answer is right", () =>
  withLoaded(ADDRESSES, { tcp: ["20.0.0.1:80"], udp: ["20.0.0.1:80"] }, async ({ load, pins, place }) => {
    const both = ["tcp", "udp"].map((protocol) => ({ name: protocol, ...WEB, protocol, backends: ["20.0.0.1:80"] }));
    await load({ services: both, options: { ipv6: false, getpeername: "service" } });
    const rings = () => {
      const isRing = (id: number) => {
        using map = openById("map", id);
        return map !== undefined && mapInfo(map).name === ring.name;
      };
      return objectIds("map").filter(isRing);
    };
    const others = new Set(rings());
    const ours = () => rings().filter((id) => !others.has(id));
    const questions = await withSteadyTraffic(place, [WEB], async () => {
      for (let i = 0; i < 3; i++) {
        await killedMonitor(pins, () => assert.is(ours().length, 1));
        // Only the programs that emit events use their map.
        await eventually(() => assert.equal(ours(), []));
      }
    });
    assert.ok(questions.length > 100);
    assert.equal(
      questions.filter(({ answer, source }) => answer !== "20.0.0.1:80" || source?.address !== WEB.address),
      [],
    );
  }));

test("a load replaces the programs; the monitor replaces them by variants, and restores the load's", () =>
  withMonitor(async ({ load, monitor, status, client }) => {
    await exchange(client);
    await load({ services: [{ ...services[0]!, name: "names", affinity: { timeout: 60 } }], options: { ipv6: false } });
    const plain = programIds(status());
    assert.is(status().events, "off");
    assert.is(await monitor.check(), "again");
    assert.is(status().events, "on");
    await exchange(client);
    const events = monitor.read().map(text);
    assert.equal(events, [...told, ...told.map((each) => each.replace("dns", "names"))], "no earlier event is lost");
    assert.ok(
      status().maps.some(({ name, use }) => name === "affinity" && use!.used === 1),
      "the load's own programs are back",
    );
    await monitor.close();
    assert.equal(programIds(status()), plain);
  }));

test("changed services have their new names", () =>
  withMonitor(async ({ load, monitor, client }) => {
    await load({
      ...ipv4,
      services: [
        ...ipv4.services,
        { name: "other", address: "100.0.0.2", port: 53, protocol: "udp", backends: ["20.0.0.1:53"] },
      ],
    });
    assert.is(await monitor.check(), "again");
    await (await client.open("udp")).exchange("hello", { address: "100.0.0.2", port: 53 });
    assert.equal([...new Set(monitor.read().map(({ service }) => service))], ["other"]);
  }));

test("lost events are counted and change nothing else", () =>
  withMonitor(async ({ monitor, client }) => {
    const room = ring.maxEntries / (ring.value.size + 8);
    const socket = await client.open("udp");
    const sends = Math.ceil(room / 2) + 500;
    for (let sent = 0; sent < sends; sent++) await socket.send("hello", DNS);
    const { lost } = monitor;
    const events: TranslationEvent[] = [];
    for (let some = monitor.read(); some.length > 0; some = monitor.read()) events.push(...some);
    assert.is(events.length + Number(lost), 2 * sends);
    assert.ok(lost > 0n, `${lost} lost`);
    await exchange(client);
    assert.equal(monitor.read().map(text), told);
    assert.is(monitor.lost, lost);
  }));

test("while a monitor starts and stops under full traffic, every answer is right, and events come in pairs", () =>
  withLoaded(ADDRESSES, { tcp: ["20.0.0.1:80"], udp: ["20.0.0.1:80"] }, async ({ load, status, place, pins }) => {
    const both = (["tcp", "udp"] as const).map((protocol) => ({
      name: protocol,
      ...WEB,
      protocol,
      backends: ["20.0.0.1:80"],
    }));
    await load({ services: both, options: { ipv6: false, getpeername: "service" } });
    const events: TranslationEvent[] = [];
    let lost = 0n;
    const questions = await withSteadyTraffic(place, [WEB], async () => {
      for (let i = 0; i < 5; i++) {
        const monitor = await Monitor.open(pins);
        for (let looks = 0; looks < 10; looks++) {
          await new Promise((later) => setTimeout(later, 10));
          events.push(...monitor.read());
        }
        await monitor.close();
        for (let some = monitor.read(); some.length > 0; some = monitor.read()) events.push(...some);
        lost += monitor.lost;
      }
    });
    const wrong = questions.filter(
      ({ answer, source }) => answer !== "20.0.0.1:80" || source?.address !== WEB.address || source.port !== WEB.port,
    );
    assert.equal(wrong.slice(0, 3), [], `${wrong.length} wrong answers of ${questions.length}`);
    assert.ok(questions.length > 500, `${questions.length} questions`);
    assert.is(lost, 0n);
    assert.ok(events.length > 500, `${events.length} events`);
    // Events come in pairs, except where the programs were replaced between the two.
    const open = new Map<bigint, string>();
    let halves = 0;
    for (const { kind, cookie } of events) {
      const [half, direction] = kind.split("-") as [string, string];
      if (half === "pre") open.set(cookie, direction);
      else if (open.get(cookie) === direction) open.delete(cookie);
      else halves++;
    }
    assert.ok(
      halves + open.size <= 5 * 4,
      `${halves} second halves without their first, ${open.size} first ones without their second`,
    );
    assert.is(status().events, "off");
  }));

/** Starts a monitor in another process and kills it. */
async function killedMonitor(pins: string, listening = () => {}): Promise<void> {
  const child = startIn(
    {},
    process.execPath,
    ...TSX,
    "--input-type=module",
    "--eval",
    `
    import { Monitor } from ${JSON.stringify(import.meta.resolve("../index.ts"))};
    await Monitor.open(process.argv[1]);
    console.log("listening");
    process.stdin.resume();
  `,
    pins,
  );
  let errors = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const outcome = await Promise.race([
    once(child.stdout!, "data").then(() => "listening"),
    once(child, "exit").then(() => "exit"),
  ]);
  if (outcome === "listening") listening();
  child.kill("SIGKILL");
  if (outcome === "exit") throw new Error(`it does not listen: ${errors}`);
  await once(child, "exit");
}

test.run();
