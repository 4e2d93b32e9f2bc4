/** Detaching under traffic: unload, IPv6 switched off, and what a killed process leaves. */
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import { eventually, startIn, toolSuite, TSX } from "../testing/index.ts";
import { DETACH_GRACE } from "./apply/index.ts";
import { loadBalancerStatus, unloadLoadBalancer } from "./index.ts";
import { withAnswersInFlight, type Asked } from "./testing/answers-in-flight.ts";
import { withLoaded, type Loaded } from "./testing/loaded.ts";

const test = toolSuite("leaving under traffic", ["python3"], { kernel: true });

const CLI = fileURLToPath(new URL("../cli/tsbpf.ts", import.meta.url));
const BACKENDS = [
  { address: "20.0.0.1", port: 5301 },
  { address: "fd00::2", port: 5301 },
];
const ASKED: readonly Asked[] = [
  { socket: "ipv4", address: "100.0.0.1", port: 53 },
  { socket: "ipv6", address: "::ffff:100.0.0.1", port: 53 },
  { socket: "ipv6", address: "fd00:1::1", port: 53 },
];
const config = (options: object) => ({
  services: [
    { name: "four", address: "100.0.0.1", port: 53, protocol: "udp", backends: ["20.0.0.1:5301"] },
    ...("ipv6" in options
      ? []
      : [{ name: "six", address: "fd00:1::1", port: 53, protocol: "udp", backends: ["[fd00::2]:5301"] }]),
  ],
  options,
});
const MAKE_FLOWS = ["connect4", "connect6", "sendmsg4", "sendmsg6"].map((name) => `cgroup/${name}`);

const withServices = (work: (loaded: Loaded) => Promise<void>) =>
  withLoaded(["20.0.0.1", "fd00::2"], {}, async (loaded) => {
    await loaded.load(config({}));
    await work(loaded);
  });

/** Answers whose sender is not the service that was asked. */
const fromElsewhere = (answers: Readonly<Record<string, number>>) =>
  Object.entries(answers).filter(([sender]) => !ASKED.some(({ address, port }) => sender === `${address} ${port}`));

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
};

test("unload: every answer in flight comes from the service's address", () =>
  withServices(async ({ place, pins }) => {
    let took = 0;
    const answers = await withAnswersInFlight(place, ASKED, BACKENDS, async () => {
      took = await timed(() => unloadLoadBalancer(pins));
    });
    assert.equal(fromElsewhere(answers), []);
    assert.ok(took >= DETACH_GRACE && took < DETACH_GRACE + 1500, `${took} ms`);
    assert.is(loadBalancerStatus(pins), undefined);
  }));

test("unload now: no grace, and answers in flight come from the backend", () =>
  withServices(async ({ place, pins }) => {
    let took = 0;
    const answers = await withAnswersInFlight(place, ASKED, BACKENDS, async () => {
      took = await timed(() => unloadLoadBalancer(pins, { now: true }));
    });
    assert.ok(fromElsewhere(answers).length > 0);
    assert.ok(took < DETACH_GRACE, `${took} ms`);
  }));

test("unload waits only while sockets have flows", () =>
  withServices(async ({ place, pins }) => {
    await withAnswersInFlight(place, ASKED, BACKENDS, async () => {});
    await eventually(() =>
      assert.equal(
        loadBalancerStatus(pins)!.maps.filter(({ name, use }) => /reverse_sk$/.test(name) && use!.used > 0),
        [],
      ),
    );
    const took = await timed(() => unloadLoadBalancer(pins));
    assert.ok(took < DETACH_GRACE, `${took} ms`);
  }));

test("IPv6 switched off: every answer in flight comes from the service's address", () =>
  withServices(async ({ place, load, status }) => {
    const answers = await withAnswersInFlight(place, ASKED, BACKENDS, async () => {
      await load(config({ ipv6: false }));
    });
    assert.equal(fromElsewhere(answers), []);
    assert.equal(status().missing, []);
    assert.not.ok(status().programs.some(({ name }) => name.endsWith("6")));
  }));

test("unload killed between detachments: status says what is missing, load repairs it, unload completes it", () =>
  withServices(async ({ place, pins, load, status }) => {
    const killed = async () => {
      const child = startIn({}, process.execPath, ...TSX, CLI, "unload", "--pin", pins);
      await eventually(() => assert.equal(status().missing, MAKE_FLOWS));
      child.kill("SIGKILL");
      await once(child, "exit");
      assert.equal(status().missing, MAKE_FLOWS);
    };
    const answers = await withAnswersInFlight(place, ASKED, BACKENDS, async () => {
      await killed();
      const told = startIn({}, process.execPath, ...TSX, CLI, "status", "--pin", pins);
      let errors = "";
      told.stderr!.setEncoding("utf8").on("data", (text: string) => (errors += text));
      assert.equal(await once(told, "exit"), [1, null]);
      assert.match(
        errors,
        "error: half attached: nothing runs at cgroup/connect4, cgroup/connect6, cgroup/sendmsg4, cgroup/sendmsg6: ",
      );
      assert.match(errors, "\nhint: load again to attach them, or unload to detach the others");
      await load(config({}));
      assert.equal(status().missing, []);
      await killed();
      await unloadLoadBalancer(pins);
    });
    assert.equal(fromElsewhere(answers), []);
    assert.is(loadBalancerStatus(pins), undefined);
  }));

test.run();
