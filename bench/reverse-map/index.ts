/**
 * `npm run bench:reverse-map`: the effect of more flows than the reverse NAT map holds on open sockets, for our
 * programs and for the same job in C with the maps of the field's leading balancer. Needs root on Linux,
 * clang-19 and python3, and about 4 KB of memory per flow.
 */
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError } from "commander";
import { attach, load, type Collection, type MapDefinition, type Program } from "tsbpf";
import { reverseSk } from "../../programs/index.ts";
import { startIn, withCgroup, withNetworkNamespace } from "../../src/testing/index.ts";
import { needKernel, runBench } from "../command.ts";
import { balancerPrograms, writeToBalancer } from "../datapath/balancer.ts";
import { peerPrograms, peerReverse, writeToPeer } from "../datapath/peer.ts";
import { BACKEND_PORT, servicesOf, type Service } from "../datapath/services.ts";

interface Answers {
  readonly service: number;
  readonly elsewhere: number;
  readonly none: number;
}

interface Outcome extends Answers {
  readonly side: string;
  readonly flows: number;
  /** Capacity of the reverse NAT map. */
  readonly maxEntries: number;
  /** Entries while all sockets are open, and after all are closed. */
  readonly entries: number;
  readonly left: number;
}

interface Side {
  readonly side: string;
  readonly programs: () => readonly Program[];
  readonly reverse: MapDefinition;
  readonly write: (collection: Collection, services: readonly Service[]) => void;
}

const sides: readonly Side[] = [
  { side: "C", programs: peerPrograms, reverse: peerReverse, write: writeToPeer },
  { side: "tsbpf", programs: balancerPrograms, reverse: reverseSk, write: writeToBalancer },
];

const script = fileURLToPath(new URL("sockets.py", import.meta.url));

const command = new Command("bench:reverse-map")
  .description(
    "Opens more UDP sockets than the reverse map has entries, and counts whose answers come from the service.",
  )
  .option("--flows <number>", "sockets", number, 400_000)
  .option("--json", "print one JSON document")
  .action(run);
await runBench(command);

async function run({ flows, json }: { flows: number; json?: true }): Promise<void> {
  needKernel();
  const outcomes: Outcome[] = [];
  for (const side of sides) outcomes.push(await measure(side, flows));
  if (json) process.stdout.write(`${JSON.stringify(outcomes, undefined, 2)}\n`);
  else {
    for (const { side, maxEntries, service, elsewhere, none, entries, left } of outcomes) {
      const text = (value: number): string => value.toLocaleString("en-GB");
      process.stdout.write(
        `${side}: ${text(flows)} flows through a map of ${text(maxEntries)}: ${text(service)} answers from the ` +
          `service, ${text(elsewhere)} from the backend, ${text(none)} none; ` +
          `${text(entries)} entries, ${text(left)} once all sockets were closed\n`,
      );
    }
  }
}

function measure({ side, programs, reverse, write }: Side, flows: number): Promise<Outcome> {
  return withNetworkNamespace([], (networkNamespace) =>
    withCgroup(async (cgroup) => {
      using collection = load(programs());
      const services = servicesOf(1);
      write(collection, services);
      const { address, port } = services[0]!;
      const attached = attach(collection, { cgroup });
      const child = startIn(
        { networkNamespace },
        "python3",
        script,
        String(flows),
        address,
        String(port),
        cgroup,
        String(BACKEND_PORT),
      );
      try {
        let errors = "";
        child.stderr!.setEncoding("utf8").on("data", (text: string) => (errors += text));
        const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
        const next = async (): Promise<string> => {
          const { value, done } = await lines.next();
          if (done) throw new Error(`the process with the sockets has ended: ${errors.trim()}`);
          return value as string;
        };
        const answers = JSON.parse(await next()) as Answers;
        const map = collection.map(reverse);
        const entries = map.count();
        child.stdin!.write("\n");
        await next();
        return { side, flows, ...answers, maxEntries: map.maxEntries, entries, left: map.count() };
      } finally {
        const ended = child.exitCode === null && child.signalCode === null ? once(child, "exit") : undefined;
        child.kill("SIGKILL");
        await ended;
        attached.close();
      }
    }),
  );
}

function number(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 1_000_000)
    throw new InvalidArgumentError("expected a whole number from 1 to 1000000");
  return value;
}
