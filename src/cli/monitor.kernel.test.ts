/** `tsbpf monitor` and `tsbpf metrics`: their output, and how monitor ends. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CommanderError } from "commander";
import * as assert from "uvu/assert";
import { withLoaded, type Loaded } from "../lb/testing/loaded.ts";
import { unloadLoadBalancer } from "../lb/index.ts";
import { eventually, startIn, toolSuite, TSX } from "../testing/index.ts";
import { command as metricsCommand } from "./commands/metrics.ts";
import { command as monitorCommand } from "./commands/monitor.ts";
import { command as statusCommand } from "./commands/status.ts";
import { runCommand } from "./testing/run-command.ts";

const test = toolSuite("command: monitor, metrics", ["python3"], { kernel: true });

const CLI = fileURLToPath(new URL("tsbpf.ts", import.meta.url));
const tsbpf = [...TSX, CLI] as const;

/** Runs a subcommand in this process and returns its output. */
const monitor = (...args: readonly string[]) => runCommand(monitorCommand(), ...args);
const metrics = (...args: readonly string[]) => runCommand(metricsCommand(), ...args);
const statusText = (pins: string) => runCommand(statusCommand(), "--pin", pins);

const refused = (message: RegExp) => (error: unknown) => error instanceof Error && message.test(error.message);

async function rejects(work: Promise<unknown>, expected: (error: unknown) => boolean): Promise<void> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(expected(error), String(error));
}

const DNS = { address: "100.0.0.1", port: 53 };
const WEB = { address: "100.0.0.1", port: 80 };
const config = {
  services: [
    { name: "dns", ...DNS, protocol: "udp", backends: ["20.0.0.1:53"] },
    { name: "web", ...WEB, protocol: "tcp", backends: [] },
  ],
  options: { ipv6: false, metrics: true },
};

const withServices = (work: (loaded: Loaded) => Promise<void>) =>
  withLoaded(["20.0.0.1"], { udp: ["20.0.0.1:53"] }, async (loaded) => {
    await loaded.load(config);
    await work(loaded);
  });

const ask = async ({ client }: Loaded): Promise<void> => {
  const socket = await client.open("udp");
  await socket.exchange("hello", DNS);
  await socket.close();
};

/** A running monitor and its output so far. */
interface Listener {
  readonly child: ChildProcess;
  stdout: string;
  stderr: string;
  /** The exit code, or the signal that ended it. */
  readonly end: Promise<number | NodeJS.Signals>;
}

async function listen({ pins, status }: Loaded, ...args: readonly string[]): Promise<Listener> {
  const child = startIn({}, process.execPath, ...tsbpf, "monitor", "--pin", pins, ...args);
  const listener: Listener = {
    child,
    stdout: "",
    stderr: "",
    end: once(child, "exit").then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals),
  };
  child.stdout!.setEncoding("utf8").on("data", (text: string) => (listener.stdout += text));
  child.stderr!.setEncoding("utf8").on("data", (text: string) => (listener.stderr += text));
  const ended = { yes: false };
  void listener.end.then(() => (ended.yes = true));
  while (status().events !== "on") {
    if (ended.yes) throw new Error(`the monitor did not start: ${listener.stderr}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return listener;
}

test("prints one event per line, and restores the plain programs when interrupted", () =>
  withServices(async (loaded) => {
    const { status } = loaded;
    const before = status().programs.map(({ id }) => id);
    const listener = await listen(loaded);
    await ask(loaded);
    await eventually(() => assert.is(listener.stdout.split("\n").length, 6));
    assert.match(await statusText(loaded.pins), /^Events are on for tsbpf monitor/m);
    listener.child.kill("SIGINT");
    assert.is(await listener.end, 0);
    assert.is(listener.stderr, "");
    const [head, ...lines] = listener.stdout.trimEnd().split("\n");
    assert.match(head!, /^TIME +EVENT +PROTOCOL +PID +COOKIE +SERVICE +ADDRESSES$/);
    const common = `\\d\\d:\\d\\d:\\d\\d\\.\\d{6} +EVENT +udp +${loaded.client.pid} +\\d+ +dns`;
    const expected = [
      ["pre-forward", "100\\.0\\.0\\.1:53"],
      ["post-forward", "100\\.0\\.0\\.1:53 -> 20\\.0\\.0\\.1:53"],
      ["pre-reverse", "20\\.0\\.0\\.1:53"],
      ["post-reverse", "20\\.0\\.0\\.1:53 -> 100\\.0\\.0\\.1:53"],
    ];
    for (const [i, [event, addresses]] of expected.entries())
      assert.match(lines[i]!, new RegExp(`^${common.replace("EVENT", event!)} +${addresses}$`));
    assert.is(status().events, "off");
    assert.equal(
      status().programs.map(({ id }) => id),
      before,
    );
  }));

test("--json, filters and --count", () =>
  withServices(async (loaded) => {
    const { client, place, pins, status } = loaded;
    /** The output during a refused connect and, after it, an exchange. */
    const printed = async (...args: readonly string[]) => {
      const output = monitor("--json", "--pin", pins, ...args);
      await eventually(() => assert.is(status().events, "on"));
      await client
        .open("tcp")
        .then((socket) => socket.connect(WEB))
        .catch(() => {});
      await ask(loaded);
      return (await output)
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    };
    const events = await printed(
      "--service",
      "dns",
      "--protocol",
      "udp",
      "--pid",
      String(client.pid),
      "--cgroup",
      `${place.cgroup}/../`,
      "--count",
      "3",
    );
    assert.equal(
      events.map(({ kind, service, protocol, pid, original, translated }) => [
        kind,
        service,
        protocol,
        pid,
        original,
        translated,
      ]),
      [
        ["pre-forward", "dns", "udp", client.pid, "100.0.0.1:53", undefined],
        ["post-forward", "dns", "udp", client.pid, "100.0.0.1:53", "20.0.0.1:53"],
        ["pre-reverse", "dns", "udp", client.pid, "20.0.0.1:53", undefined],
      ],
    );
    assert.equal(
      (await printed("--service", "web", "dns", "--count", "1")).map(({ service }) => service),
      ["web"],
    );
    assert.equal(
      (await printed("--protocol", "udp", "--count", "1")).map(({ service }) => service),
      ["dns"],
    );
    const empty = mkdtempSync(join(place.cgroup, "empty-"));
    try {
      const nothing = monitor("--json", "--pin", pins, "--cgroup", empty, "--count", "1");
      await eventually(() => assert.is(status().events, "on"));
      await ask(loaded);
      await unloadLoadBalancer(pins);
      assert.is(await nothing, "");
    } finally {
      rmdirSync(empty);
    }
  }));

test("the reader of the output may exit, or stop reading", () =>
  withServices(async (loaded) => {
    const { status } = loaded;
    const gone = await listen(loaded);
    gone.child.stdout!.destroy();
    await ask(loaded);
    assert.is(await gone.end, 0);
    assert.is(status().events, "off");

    const stalled = await listen(loaded);
    stalled.child.stdout!.pause();
    const socket = await loaded.client.open("udp");
    // More than the pipe and the process's buffers can hold.
    for (let i = 0; i < 2_500; i++) await socket.send("hello", DNS);
    stalled.child.kill("SIGTERM");
    assert.is(await stalled.end, 0);
    assert.is(status().events, "off");
  }));

test("a killed monitor no longer listens, and the next load restores the programs; a running one reports loads", () =>
  withServices(async (loaded) => {
    const { status, pins, load } = loaded;
    const killed = await listen(loaded);
    await rejects(monitor("--pin", pins), refused(/another monitor listens/));
    killed.child.kill("SIGKILL");
    assert.is(await killed.end, "SIGKILL");
    assert.is(status().events, "off");
    assert.not.match(await statusText(pins), /^Events are on/m);
    await load(config);
    assert.is(status().events, "off");

    const listener = await listen(loaded);
    await load(config);
    await eventually(() => assert.match(listener.stderr, /reloaded: listening again/));
    await ask(loaded);
    await eventually(() => assert.match(listener.stdout, "post-reverse"));
    await unloadLoadBalancer(pins);
    assert.is(await listener.end, 0);
    assert.match(listener.stderr, /unloaded: stopping/);
    await rejects(monitor("--pin", pins), refused(/nothing is loaded/));
  }));

test("usage errors differ from failures", () =>
  withServices(async ({ pins }) => {
    const wrong = (error: unknown) => error instanceof CommanderError;
    await rejects(monitor("--pin", pins, "--count", "none"), wrong);
    await rejects(monitor("--pin", pins, "--protocol", "sctp"), wrong);
    await rejects(
      monitor("--pin", pins, "--service", "nobody"),
      refused(/cannot monitor service "nobody": there is no such service/),
    );
    await rejects(
      monitor("--pin", pins, "--cgroup", "/nowhere"),
      refused(/cannot monitor cgroup \/nowhere: there is no such cgroup/),
    );
    await rejects(metrics("--pin", pins, "--json", "--prometheus"), wrong);
  }));

test("counters as a table, as JSON and for Prometheus", () =>
  withServices(async (loaded) => {
    const { client, pins, load } = loaded;
    for (let i = 0; i < 3; i++) await ask(loaded);
    await client
      .open("tcp")
      .then((socket) => socket.connect(WEB))
      .catch(() => {});
    const stdout = await metrics("--pin", pins);
    assert.match(stdout, /^SERVICE +FAMILY +PROTOCOL +TRANSLATED +NO BACKEND +REPLIES$/m);
    assert.match(stdout, /^dns +ipv4 +udp +3 +0 +3$/m);
    assert.match(stdout, /^web +ipv4 +tcp +0 +1 +0$/m);
    assert.match(stdout, /^services +2 +32 +6%$/m);
    assert.match(await statusText(pins), /^dns +100\.0\.0\.1:53 +udp +3 +0 +20\.0\.0\.1:53$/m);
    const json = JSON.parse(await metrics("--pin", pins, "--json")) as {
      services: { name: string; counters: Record<string, string> }[];
    };
    assert.equal(
      json.services.map(({ name, counters }) => [name, counters["translated"], counters["noBackend"]]),
      [
        ["dns", "3", "0"],
        ["web", "0", "1"],
      ],
    );
    const prometheus = await metrics("--pin", pins, "--prometheus");
    assert.match(
      prometheus,
      new RegExp(
        String.raw`^# TYPE tsbpf_translated_total counter\n` +
          String.raw`tsbpf_translated_total\{service="dns",family="ipv4",protocol="udp"\} 3$`,
        "m",
      ),
    );
    assert.match(prometheus, /^tsbpf_no_backend_total\{service="web",family="ipv4",protocol="tcp"\} 1$/m);
    assert.match(prometheus, /^tsbpf_map_entries\{map="services"\} 2$/m);
    assert.match(prometheus, /^tsbpf_map_max_entries\{map="services"\} 32$/m);

    await load({ ...config, options: { ipv6: false } });
    await rejects(metrics("--pin", pins), refused(/the loaded programs do not count/));
  }));

test.run();
