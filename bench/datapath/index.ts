/**
 * `npm run bench:datapath`: compares the load balancer's programs with the same job in C, with programs that do
 * nothing, and with netfilter, in one run with the sides taking turns. Needs root on Linux, clang-19 and gcc;
 * also nftables, iptables and ipvsadm to measure those.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, release, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError } from "commander";
import { cases, programNames } from "./cases.ts";
import { needKernel, runBench } from "../command.ts";
import { compileClient } from "./client.ts";
import { countLeftovers, measure, type Measurement, type Settings } from "./measure.ts";
import { plotOf } from "./plot.ts";
import { processors, withPlaces } from "./place.ts";
import type { Result } from "./result.ts";
import { markdownOf, remarksOf, tablesOf, textOf } from "./tables.ts";

interface Options {
  readonly quick?: true;
  readonly json?: true;
  readonly write?: true;
  readonly beside?: string;
  readonly netfilter: boolean;
  readonly services?: number[];
  readonly rounds?: number;
  readonly only?: string[];
}

const command = new Command("bench:datapath")
  .description(
    "Compares the load balancer's data path with the same job in C, programs that do nothing, and netfilter.",
  )
  .option("--quick", "only 1 and 1,000 services and few rounds: about a minute")
  .option(
    "--services <numbers>",
    "numbers of services, ascending, separated by commas (default: 1,1000,10000,60000)",
    numbers,
  )
  .option("--rounds <number>", "rounds per median (default: 21; quick: 7)", number)
  .option("--only <programs>", `only these programs, separated by commas (${programNames.join(", ")})`, programs)
  .option("--no-netfilter", "omit nftables, iptables and IPVS")
  .option("--write", "also write docs/datapath.md and docs/datapath.svg")
  .option(
    "--beside <file>",
    "with --write: add a section for another run's --json output, such as one on a kernel with IPVS",
  )
  .option("--json", "print one JSON document")
  .action(run);
await runBench(command);

async function run({
  quick,
  json,
  write,
  beside,
  netfilter,
  only = programNames,
  services = quick ? [1, 1000] : [1, 1000, 10_000, 60_000],
  rounds = quick ? 7 : 21,
}: Options): Promise<void> {
  needKernel();
  if (write && only.length < programNames.length)
    throw new Error("cannot write the page from a run of some programs: leave out --only");
  if (beside !== undefined && !write) throw new Error("--beside needs --write");
  const other = beside === undefined ? undefined : (JSON.parse(readFileSync(beside, "utf8")) as Result);
  const result = await takeResult({ services, rounds, netfilter, only });
  if (json) process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
  else process.stdout.write(`${[...tablesOf(result).map(textOf), ...remarksOf(result)].join("\n")}\n`);
  if (write) {
    const docs = (name: string): string => fileURLToPath(new URL(`../../docs/${name}`, import.meta.url));
    writeFileSync(docs("datapath.svg"), plotOf(result));
    writeFileSync(docs("datapath.md"), markdownOf(result, "datapath.svg", other));
  }
}

async function takeResult({
  services,
  rounds,
  netfilter,
  only,
}: Required<Pick<Options, "rounds" | "netfilter" | "only">> & { services: readonly number[] }): Promise<Result> {
  let stopped = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => (stopped = true));
  const notes = new Set<string>();
  if (!netfilter) notes.add("nftables, iptables and IPVS: omitted on request.");
  const note = (text: string): unknown => notes.add(text);
  const settings: Settings = {
    rounds,
    operations: [...new Set(cases.filter(({ program }) => only.includes(program)).map(({ operation }) => operation))],
    processors: Array.from({ length: processors }, (_, i) => i + 1),
    // Attached programs are removed on the way out.
    check: () => {
      if (stopped) throw new Error("interrupted");
    },
    progress,
  };
  const directory = mkdtempSync(join(tmpdir(), "tsbpf-datapath-"));
  try {
    const executable = compileClient(directory);
    const measurements: Measurement[] = [];
    let leftovers: Result["leftovers"] = [];
    for (const count of services) {
      progress(`writing ${count} services to maps and rules`);
      await withPlaces({ executable, services: count, netfilter, note }, async (places) => {
        measurements.push(...(await measure(places, count, settings)));
        leftovers = await countLeftovers(places);
      });
    }
    return { machine: machine(), rounds, programs: only, measurements, leftovers, notes: [...notes] };
  } finally {
    rmSync(directory, { recursive: true });
    progress("");
  }
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

function machine(): string {
  const model = /^model name\s*: (.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? "unknown processor";
  return `Linux ${release()}, ${availableParallelism()} processors (${model})`;
}

function number(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("expected a whole number above 0");
  return value;
}

function numbers(text: string): number[] {
  const values = text.split(",").map(number);
  if (values.some((value, i) => value > 60_000 || (i > 0 && value <= values[i - 1]!)))
    throw new InvalidArgumentError("expected ascending numbers up to 60000");
  return values;
}

function programs(text: string): string[] {
  const names = text.split(",");
  if (names.some((name) => !programNames.includes(name)))
    throw new InvalidArgumentError(`expected some of ${programNames.join(", ")}`);
  return names;
}
