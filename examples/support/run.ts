/** What every example needs around its programs: a cgroup, a command to watch, and an end. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs, type ParseArgsConfig } from "node:util";
import { attach, cgroupRoot, checkHost, type Collection } from "tsbpf";

/** A command line that is not understood: exit code 2. */
export class UsageError extends Error {}

type OptionValues = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

export interface Example {
  /** Name of the file, as its usage shows it. */
  readonly name: string;
  /** One sentence: what it does to the connections of the command. */
  readonly summary: string;
  /** Options beside the common ones, each with its line of help. */
  readonly options?: Readonly<Record<string, { readonly type: "string"; readonly help: string }>>;
  /**
   * Loads the programs.
   * @throws {UsageError} where an option's value is no good
   */
  load(options: OptionValues): Collection;
  /** What there is to tell now; it is printed whenever it has changed. */
  report(collection: Collection): string;
}

/** Milliseconds between two looks at the maps. */
const INTERVAL = 200;

/**
 * Runs an example by its command line: attaches its programs to a cgroup, runs
 * a command in there or just watches, and prints the reports until the command
 * ends, the time is over or ctrl-C is pressed. Nothing stays attached.
 */
export async function runExample(example: Example): Promise<void> {
  try {
    process.exitCode = await run(example);
  } catch (error) {
    const { message, hint } = error as Error & { hint?: string };
    process.stderr.write(`error: ${message}\n${hint === undefined ? "" : `hint: ${hint}\n`}`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}

async function run(example: Example): Promise<number> {
  const { options, command } = parse(example);
  if (options["help"] === true) {
    process.stdout.write(usage(example));
    return 0;
  }
  const seconds = options["seconds"] === undefined ? undefined : Number(options["seconds"]);
  if (seconds !== undefined && !(seconds > 0))
    throw new UsageError(`--seconds takes a number above 0, not ${String(options["seconds"])}`);
  if (command.length === 0 && options["cgroup"] === undefined) {
    throw new UsageError(
      `say what to watch: a command, or with --cgroup DIR everything in a cgroup\n\n${usage(example)}`,
    );
  }
  checkHost();
  const own = options["cgroup"] === undefined ? join(cgroupRoot(), `tsbpf-example-${process.pid}`) : undefined;
  if (own !== undefined) mkdirSync(own);
  try {
    const cgroup = own ?? String(options["cgroup"]);
    using collection = example.load(options);
    const attached = attach(collection, { cgroup });
    try {
      return await watch(example, collection, (signal) =>
        Promise.race([...(command.length > 0 ? [runCommand(command, cgroup, signal)] : []), stopped(signal, seconds)]),
      );
    } finally {
      attached.close();
    }
  } finally {
    if (own !== undefined) removeCgroup(own);
  }
}

function parse({ options: additional = {} }: Example): { options: OptionValues; command: string[] } {
  const separator = process.argv.indexOf("--");
  const own = process.argv.slice(2, separator < 0 ? undefined : separator);
  const config: ParseArgsConfig["options"] = {
    cgroup: { type: "string" },
    seconds: { type: "string" },
    help: { type: "boolean", short: "h" },
    ...Object.fromEntries(Object.entries(additional).map(([name, { type }]) => [name, { type }])),
  };
  try {
    return {
      options: parseArgs({ args: own, options: config }).values,
      command: separator < 0 ? [] : process.argv.slice(separator + 1),
    };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function usage({ name, summary, options = {} }: Example): string {
  const lines = {
    ...Object.fromEntries(Object.entries(options).map(([option, { help }]) => [`--${option} VALUE`, help])),
    "--cgroup DIR": "the cgroup to attach to; a new one, for the command alone, unless given",
    "--seconds N": "stop after this time",
  };
  return (
    `${summary}\n\nnpx tsx examples/${name}.ts [options] -- COMMAND...   the connections of one command\n` +
    `npx tsx examples/${name}.ts [options] --cgroup DIR    those of every process in a cgroup, until ctrl-C\n\n` +
    `${Object.entries(lines)
      .map(([option, help]) => `  ${option.padEnd(16)}${help}\n`)
      .join("")}`
  );
}

/** Prints the reports until `end` is fulfilled, with the exit code. */
async function watch(
  example: Example,
  collection: Collection,
  end: (signal: AbortSignal) => Promise<number>,
): Promise<number> {
  let last = "";
  const look = () => {
    const report = example.report(collection);
    if (report !== last) process.stdout.write(`${report}\n`);
    last = report;
  };
  look();
  const timer = setInterval(look, INTERVAL);
  const ended = new AbortController();
  try {
    return await end(ended.signal);
  } finally {
    clearInterval(timer);
    ended.abort();
    look();
  }
}

/** Runs a command in the cgroup: it is there before its first instruction. Its exit code. */
async function runCommand(command: readonly string[], cgroup: string, signal: AbortSignal): Promise<number> {
  const child = spawn("sh", ["-c", 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"', "sh", cgroup, ...command], {
    stdio: "inherit",
  });
  signal.addEventListener("abort", () => child.kill());
  const [code] = (await once(child, "exit")) as [number | null];
  return code ?? 1;
}

/** Ctrl-C, a request to end, or the time over. */
async function stopped(signal: AbortSignal, seconds: number | undefined): Promise<number> {
  return new Promise((resolve) => {
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      const stop = () => resolve(128 + constants.signals[name]);
      process.once(name, stop);
      signal.addEventListener("abort", () => process.off(name, stop));
    }
    if (seconds !== undefined) {
      const timer = setTimeout(() => resolve(0), seconds * 1000);
      signal.addEventListener("abort", () => clearTimeout(timer));
    }
  });
}

/** Takes the cgroup away. What the command has left running goes on in the cgroup above. */
function removeCgroup(cgroup: string): void {
  for (const pid of readFileSync(join(cgroup, "cgroup.procs"), "utf8").split("\n").filter(Boolean)) {
    writeFileSync(join(dirname(cgroup), "cgroup.procs"), pid);
  }
  rmdirSync(cgroup);
}
