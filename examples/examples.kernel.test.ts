/** Runs every example, and every command of examples/README.md, whose output is the page's. */
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import { cgroupRoot } from "tsbpf/kernel";
import {
  kernelSuite,
  runIn,
  startIn,
  withCgroup,
  withNetworkNamespace,
  TSX,
  type Outcome,
} from "../src/testing/index.ts";

const test = kernelSuite("examples");

const command = (name: string, args: readonly string[]) =>
  [process.execPath, ...TSX, fileURLToPath(new URL(`${name}.ts`, import.meta.url)), ...args] as const;

const runExample = (name: string, ...args: readonly string[]): Promise<Outcome> => runIn({}, ...command(name, args));

/** The lines of an example and its command, sorted: which of the two is the first to see a connect is not given. */
const linesOf = ({ stdout }: Outcome): string[] => stdout.trimEnd().split("\n").sort();

/** A command that connects and prints what came of it. */
const connect = (kind: "tcp" | "udp", address: string, port: number): string[] => [
  process.execPath,
  "--eval",
  kind === "tcp"
    ? `require("net").connect(${port}, "${address}")` +
      '.on("connect", function () { console.log("connected"); this.destroy(); })' +
      '.on("error", ({ code }) => console.log(code));'
    : 'const socket = require("dgram").createSocket("udp4"); ' +
      `socket.connect(${port}, "${address}", ` +
      '() => { console.log("connected"); socket.close(); });',
];

/** Runs `work` with the port of a TCP server on loopback. */
async function withServer<T>(work: (port: number) => Promise<T>): Promise<T> {
  const server = createServer((socket) => socket.on("error", () => {}).end());
  await once(server.listen(0, "127.0.0.1"), "listening");
  try {
    return await work((server.address() as AddressInfo).port);
  } finally {
    server.close();
  }
}

test("count-connects counts a command's connects by protocol", async () => {
  const udp = await runExample("count-connects", "--", ...connect("udp", "127.0.0.1", 9));
  assert.equal(linesOf(udp), ["UDP 1", "connected", "no connects yet"], udp.stderr);
  const tcp = await runExample("count-connects", "--", ...connect("tcp", "::1", 9));
  assert.match(
    linesOf(tcp).join(),
    /^E\w+,TCP 1,no connects yet$/,
    "IPv6 counts as well, and so does a connect that fails afterwards",
  );
});

test("count-connects watches a cgroup live, until ctrl-C, and leaves it alone then", async () => {
  await withCgroup((cgroup) =>
    withServer(async (port) => {
      const example = startIn({}, ...command("count-connects", ["--cgroup", cgroup]));
      const lines = createInterface({ input: example.stdout! });
      assert.equal(await once(lines, "line"), ["no connects yet"]);
      const next = once(lines, "line");
      assert.is((await runIn({ cgroup }, ...(connect("tcp", "127.0.0.1", port) as [string]))).stdout, "connected\n");
      assert.equal(await next, ["TCP 1"]);
      const ended = once(example, "exit");
      example.kill("SIGINT");
      assert.equal(await ended, [130, null]);
      assert.ok(existsSync(cgroup));
    }),
  );
});

test("deny-port lets no connect to its port through, and any other", async () => {
  await withServer(async (port) => {
    const denied = await runExample("deny-port", "--port", String(port), "--", ...connect("tcp", "127.0.0.1", port));
    // EPERM from kernels that have no bpf_set_retval (before Linux 5.18).
    assert.match(linesOf(denied).join(), /^(ECONNREFUSED|EPERM),denied: 0,denied: 1$/);
    const other = await runExample(
      "deny-port",
      "--port",
      String(port === 65_535 ? 1 : port + 1),
      "--",
      ...connect("tcp", "127.0.0.1", port),
    );
    assert.equal(linesOf(other), ["connected", "denied: 0"]);
  });
});

test("last-destination names the address and port", async () => {
  await withServer(async (port) => {
    const outcome = await runExample("last-destination", "--", ...connect("tcp", "127.0.0.1", port));
    assert.equal(linesOf(outcome), ["connected", `last connect: 127.0.0.1:${port}`, "no connects yet"]);
  });
});

test("the command's exit code is the example's, and its cgroup goes even if something runs on in it", async () => {
  const example = startIn(
    {},
    ...command("count-connects", ["--", "sh", "-c", "sleep 30 >/dev/null 2>&1 & echo $!; exit 3"]),
  );
  const lines = createInterface({ input: example.stdout! })[Symbol.asyncIterator]();
  await lines.next();
  const { value: pid } = await lines.next();
  try {
    assert.equal(await once(example, "exit"), [3, null]);
    assert.not(existsSync(join(cgroupRoot(), `tsbpf-example-${example.pid}`)));
  } finally {
    process.kill(Number(pid));
  }
});

test("a wrong command line is explained, with exit code 2; a wrong place with 1", async () => {
  const cases: [string, string[], number, RegExp][] = [
    ["count-connects", [], 2, /^error: say what to watch/],
    ["count-connects", ["--nonsense"], 2, /--nonsense/],
    ["count-connects", ["--seconds", "soon", "--", "true"], 2, /--seconds takes a number above 0/],
    ["deny-port", ["--port", "70000", "--", "true"], 2, /--port takes a number from 1 to 65535/],
    ["move-port", ["--from", "53", "--", "true"], 2, /--to takes a number from 1 to 65535/],
    ["public-address", ["--ipv4", "here", "--", "true"], 2, /--ipv4 takes an IPv4 address, not here/],
    ["egress-firewall", ["--allow", "127.0.0.1/33", "--", "true"], 2, /--allow takes networks such as/],
    ["last-destination", ["--cgroup", "/nowhere"], 1, /\/nowhere: no such directory/],
  ];
  await Promise.all(
    cases.map(async ([name, args, status, reason]) => {
      const outcome = await runExample(name, ...args);
      assert.is(outcome.status, status, outcome.stderr);
      assert.match(outcome.stderr, reason);
      assert.not.match(outcome.stderr, /\n +at /, "no stack trace");
    }),
  );
});

const page = readFileSync(new URL("README.md", import.meta.url), "utf8");

interface PageCommand {
  readonly example: string;
  readonly command: string;
  readonly output: readonly string[];
}

/** The page's commands, each with the lines under it. */
const pageCommands: readonly PageCommand[] = [...page.matchAll(/^```console\n(.*?)^```$/gms)].flatMap(([, block]) =>
  block!
    .split(/^\$ /m)
    .slice(1)
    .map((text): PageCommand => {
      const [command, ...output] = text.trimEnd().split("\n");
      return { example: /examples\/(\S+)\.ts/.exec(command!)![1]!, command: command!, output };
    }),
);

/** Sorted, as an example and its command print at the same time; without curl's own words and what differs by run. */
const comparable = (lines: readonly string[]): string[] =>
  lines
    .filter((line) => line !== "" && !line.startsWith("curl: "))
    .map((line) =>
      line
        .replace(/process \d+/, "process N")
        .replace(/[1-9]\d* (packets|bytes)/g, "N $1")
        .replace(/[\d.]+ ms/, "N ms"),
    )
    .sort();

test("every example is on the page, with a command", () => {
  const files = readdirSync(new URL(".", import.meta.url)).filter((file) => /^[^.]+\.ts$/.test(file));
  assert.equal([...new Set(pageCommands.map(({ example }) => `${example}.ts`))].sort(), files.sort());
});

test("every command of the page prints what the page shows", () =>
  withNetworkNamespace([], async (networkNamespace) => {
    const demo = startIn(
      { networkNamespace },
      ...([process.execPath, ...TSX, fileURLToPath(new URL("../src/cli/tsbpf.ts", import.meta.url)), "demo"] as const),
    );
    try {
      for await (const line of createInterface({ input: demo.stdout! })) if (line.startsWith("Running")) break;
      for (const { command, output } of pageCommands) {
        const line = command.replace("npx tsx", [process.execPath, ...TSX].join(" "));
        const { stdout, stderr } = await runIn({ networkNamespace }, "sh", "-c", line);
        assert.equal(comparable(`${stdout}${stderr}`.split("\n")), comparable(output), command);
      }
    } finally {
      demo.kill("SIGINT");
    }
  }));

test.run();
