/** A load balancer's life cycle: load, pin, exit of its process, take-over by another, replacement, detach. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { OWNER, unloadLoadBalancer } from "../../src/lb/index.ts";
import { PinDirectory } from "../../src/loader/index.ts";
import { observed, type Case } from "../suite/case.ts";
import { connect4 } from "../suite/hooks.ts";
import { withLoadBalancer, type ServiceEntry, type TestLoadBalancer } from "../suite/load-balancer.ts";
import { addresses, services } from "../suite/network.ts";
import { errorOf, Socket, withSockets } from "../suite/socket.ts";
import { Trace } from "../suite/trace.ts";

const service = { address: services.service4, port: 80 };
const oldBackend = { address: addresses.backend4, port: 8001 };
const newBackend = { address: addresses.otherBackend4, port: 8002 };

const toBackend = ({ address, port }: { address: string; port: number }): readonly ServiceEntry[] => [
  { name: "web", ...service, protocol: "udp", backends: [`${address}:${port}`] },
];

/** The backend that a new socket to the service reaches. */
function destination({ cgroup }: TestLoadBalancer): string {
  return withSockets((keep) => {
    const socket = keep(cgroup.inside(Socket.udp4));
    const error = errorOf(() => socket.connect(service));
    if (error !== "ok") return error;
    // Programs translate the peer back to the service. All backends are local, so the source address shows
    // which one was chosen.
    return { [oldBackend.address]: "old", [newBackend.address]: "new" }[socket.local.address] ?? socket.local.address;
  });
}

/** Runs `take-over.ts` in its own process; calls `meanwhile` repeatedly until it ends. */
function takeOver(
  { cgroup, pins }: TestLoadBalancer,
  entries: readonly ServiceEntry[],
  meanwhile: () => void,
): Promise<{ replaced: boolean }> {
  // In a guest this file is part of a bundle, with the other file beside it.
  const bundled = import.meta.url.endsWith(".mjs");
  const script = fileURLToPath(new URL(bundled ? "./take-over.mjs" : "../take-over.ts", import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, script, cgroup.path, pins, JSON.stringify(entries)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let messages = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (messages += text));
  return new Promise((resolve, reject) => {
    const timer = setInterval(meanwhile, 5);
    child.on("error", reject);
    child.on("close", (status) => {
      clearInterval(timer);
      if (status === 0) resolve(JSON.parse(output) as { replaced: boolean });
      else reject(new Error(`taking over failed: the process ended with status ${status}: ${messages}`));
    });
  });
}

function pinnedLinks(pins: string): { links: string; programs: string } {
  const found = PinDirectory.open(pins, OWNER)!.links();
  return { links: found.map(({ link }) => link.id).join(), programs: found.map(({ link }) => link.programId).join() };
}

export const takingOver: readonly Case[] = [
  {
    name: "taking over/loaded, replaced by another process that ends, unloaded, beside another owner's program",
    expect: observed(
      "loaded: old, another's program 1; replaced: new, the same links, other programs, destinations meanwhile: " +
        "old or new; " +
        "unloaded: ENETUNREACH, pins gone, another's program 1",
    ),
    run: () =>
      withLoadBalancer(async (balancer) => {
        const { cgroup, pins } = balancer;
        const trace = new Trace();
        cgroup.keep(trace.map);
        cgroup.attach(connect4, trace.program(1));
        await balancer.load(toBackend(oldBackend));
        const first = pinnedLinks(pins);
        trace.take();
        const loaded = `${destination(balancer)}, another's program ${trace.take().join(" ")}`;

        // One child process covers two steps: its programs are used after it ends.
        const meanwhile = new Set<string>();
        const { replaced } = await takeOver(balancer, toBackend(newBackend), () =>
          meanwhile.add(destination(balancer)),
        );
        const second = pinnedLinks(pins);
        const strangers = [...meanwhile].filter((where) => where !== "old" && where !== "new");
        const after =
          `${replaced ? "replaced" : "loaded anew"}: ${destination(balancer)}, ` +
          `${first.links === second.links ? "the same" : "other"} links, ` +
          `${first.programs === second.programs ? "the same" : "other"} programs, ` +
          `destinations meanwhile: ${["old or new", ...strangers].join(" and ")}`;

        await unloadLoadBalancer(pins);
        trace.take();
        const reached = destination(balancer);
        const unloaded =
          `${reached}, pins ${existsSync(pins) ? "left" : "gone"}, ` + `another's program ${trace.take().join(" ")}`;
        return { kind: "observed", value: `loaded: ${loaded}; ${after}; unloaded: ${unloaded}` };
      }),
  },
];
