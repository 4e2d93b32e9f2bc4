/**
 * `npm run bench:close-sockets`: the time to close the sockets of removed backends, among many sockets in many
 * network namespaces: some in one namespace, some in each, then all others. Each number is one call.
 *
 * Half of the sockets are TCP, half connected UDP; the backend's end of every TCP connection is in the namespace
 * too. Needs root on Linux and python3. Creates and removes its own namespaces and cgroup; gives up after 5 minutes.
 *
 * Usage: npm run bench:close-sockets -- [SOCKETS] [NAMESPACES]
 */
import { execFileSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { attach, load } from "tsbpf";
import { networkNamespaces } from "tsbpf/kernel";
import { defaultOptions, loadBalancerPrograms, maps4, ServiceFlag } from "../../programs/index.ts";
import { ServiceTable, type MapOpener } from "../../programs/testing/service-table.ts";
import { closeStaleSockets } from "../../src/lb/index.ts";
import { startIn, withCgroup } from "../../src/testing/index.ts";

const sockets = Number(process.argv[2] ?? 100_000);
const namespaces = Number(process.argv[3] ?? 200);
const each = Math.max(2, Math.round(sockets / namespaces));
/** Extra sockets in the first namespace, to the service that loses its backend first. */
const FEW_IN_ONE = 10;
/** Sockets per namespace to the service that loses its backend next. */
const few = Math.min(each, Math.max(2, 2 * Math.round(each / 200)));

/** Below the limit on open descriptors of one process. */
const SOCKETS_PER_PROCESS = 10_000;
const TIME_LIMIT = "300";

const script = fileURLToPath(new URL("clients.py", import.meta.url));
const names = Array.from({ length: namespaces }, (_, i) => `tsbpf-bench-${process.pid}-${i}`);
const ip = (command: "add" | "delete") =>
  execFileSync("ip", ["-force", "-batch", "-"], {
    input: names.map((name) => `netns ${command} ${name}\n`).join(""),
    stdio: ["pipe", "ignore", command === "add" ? "inherit" : "ignore"],
  });

const services = [
  { address: "100.0.0.1", port: 80 },
  { address: "100.0.0.2", port: 80 },
  { address: "100.0.0.3", port: 80 },
] as const;
const backends = ["127.0.0.1:80", "127.0.0.2:80", "127.0.0.3:80"] as const;

async function openSockets(cgroup: string, clients: ChildProcess[]): Promise<void> {
  const perProcess = Math.max(1, Math.floor(SOCKETS_PER_PROCESS / each));
  for (let i = 0; i < names.length; i += perProcess) {
    clients.push(
      startIn(
        { cgroup },
        "timeout",
        TIME_LIMIT,
        "python3",
        script,
        String(few),
        String(each - few),
        String(i === 0 ? FEW_IN_ONE : 0),
        ...names.slice(i, i + perProcess),
      ),
    );
  }
  await Promise.all(
    clients.map(async (client) => {
      let errors = "";
      client.stderr!.setEncoding("utf8").on("data", (text: string) => (errors += text));
      const outcome = await Promise.race([
        once(client.stdout!, "data").then(() => "ready"),
        once(client, "exit").then(() => "exit"),
      ]);
      if (outcome === "exit") throw new Error(`cannot open the sockets: ${errors}`);
    }),
  );
}

async function measure(what: string, run: () => Promise<number>): Promise<void> {
  const usage = process.cpuUsage();
  const start = process.hrtime.bigint();
  const closed = await run();
  const clock = Number(process.hrtime.bigint() - start) / 1e6;
  const { user, system } = process.cpuUsage(usage);
  console.log(
    `${what.padEnd(34)} ${String(closed).padStart(7)} ${clock.toFixed(0).padStart(8)} ` +
      `${(user / 1000).toFixed(0).padStart(8)} ${(system / 1000).toFixed(0).padStart(8)}`,
  );
}

await withCgroup(async (cgroup) => {
  const clients: ChildProcess[] = [];
  ip("add");
  try {
    using collection = load(
      loadBalancerPrograms({ ...defaultOptions, trackConnections: true }).map((source) => source.compile()),
    );
    const attached = attach(collection, { cgroup });
    try {
      const table = new ServiceTable(((definition) => collection.map(definition)) as MapOpener, 0);
      const set = (i: 0 | 1 | 2, ...members: readonly string[]) =>
        (["tcp", "udp"] as const).forEach((protocol, j) =>
          table.set(services[i], protocol, members, { revNatIndex: 1 + 2 * i + j, flags: ServiceFlag.CLOSE_SOCKETS }),
        );
      set(0, backends[0]);
      set(1, backends[1]);
      set(2, backends[2]);
      await openSockets(cgroup, clients);
      const connections = collection.map(maps4.connections);
      const close = () =>
        closeStaleSockets(
          new Map([
            [
              "ipv4",
              { services: collection.map(maps4.services), backends: collection.map(maps4.backends), connections },
            ],
          ]),
        );
      console.log(
        `${connections.count()} sockets in ${namespaces} network namespaces, ${networkNamespaces().length} on ` +
          `this machine, Node ${process.version}`,
      );
      console.log(`${"milliseconds".padEnd(34)}  closed    clock     user   system`);
      await measure("no backend removed", close);
      set(2);
      await measure(`one removed, ${FEW_IN_ONE} sockets in one`, close);
      set(0);
      await measure(`another, ${few} sockets in each`, close);
      set(1);
      await measure("the last, all other sockets", close);
      await measure("again", close);
    } finally {
      attached.close();
    }
  } finally {
    await Promise.all(
      clients.map(async (client) => {
        const ended = client.exitCode === null && client.signalCode === null ? once(client, "exit") : undefined;
        client.stdin!.end();
        await ended;
      }),
    );
    ip("delete");
  }
});
