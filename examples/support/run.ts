/** Shared by the examples: command line, cgroup, the command to run in it, printing. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs, type ParseArgsConfig } from "node:util";
import { attach, type Collection } from "tsbpf";
import { cgroupRoot, checkHost } from "tsbpf/kernel";

/** A wrong command line: exit code 2. */
export class UsageError extends Error {}

type OptionValues = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

export interface Example {
  /** Name of the file without `.ts`, for the usage text. */
  readonly name: string;
  /** One sentence: what the example does. */
  readonly summary: string;
  /** Options besides the common ones, each with its help text. */
  readonly options?: Readonly<Record<string, { readonly type: "string"; readonly help: string }>>;
  /**
   * Loads the programs.
   * @throws {UsageError} for a wrong option
   */
  load(options: OptionValues): Collection;
  /** One line about the maps, printed whenever it changes. */
  report(collection: Collection): string;
}

/** Milliseconds between two reports. */
const INTERVAL = 200;

/**
 * Runs an example as its command line says: attaches its programs to a cgroup,
 * runs a command there or only watches, and prints reports until the command
 * ends, the time is over or Ctrl-C is pressed. Then it detaches the programs.
 */
export const runExample = (example: Example): Promise<void> => withExitCode(() => run(example));

/** Runs an example that takes no command: its programs are run by the kernel on given input. */
export const runOnce = (work: () => void): Promise<void> =>
  withExitCode(() => {
    checkHost();
    work();
    return 0;
  });

/** The value of an option that takes a port. */
export function portOption(options: OptionValues, name: string): number {
  const port = Number(options[name]);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new UsageError(`--${name} takes a number from 1 to 65535`);
  return port;
}

async function withExitCode(work: () => number | Promise<number>): Promise<void> {
  try {
    process.exitCode = await work();
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
      `say what to watch: a command, or everything in a cgroup with --cgroup DIR\n\n${usage(example)}`,
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
    "--cgroup DIR": "the cgroup to attach to (default: a new one for the command alone)",
    "--seconds N": "stop after this time",
  };
  return (
    `${summary}\n\nnpx tsx examples/${name}.ts [options] -- COMMAND...   the connections of one command\n` +
    `npx tsx examples/${name}.ts [options] --cgroup DIR    those of every process in a cgroup, until Ctrl-C\n\n` +
    `${Object.entries(lines)
      .map(([option, help]) => `  ${option.padEnd(16)}${help}\n`)
      .join("")}`
  );
}

/** Prints reports until `end` resolves; gives its exit code. */
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

/** Runs a command that is in the cgroup from its first instruction on; gives its exit code. */
async function runCommand(command: readonly string[], cgroup: string, signal: AbortSignal): Promise<number> {
  const child = spawn("sh", ["-c", 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"', "sh", cgroup, ...command], {
    stdio: "inherit",
  });
  signal.addEventListener("abort", () => child.kill());
  const [code] = (await once(child, "exit")) as [number | null];
  return code ?? 1;
}

/** Waits for Ctrl-C, SIGTERM or the end of the time; gives the exit code. */
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

/** Removes the cgroup. Processes that the command left running move to the parent cgroup. */
function removeCgroup(cgroup: string): void {
  for (const pid of readFileSync(join(cgroup, "cgroup.procs"), "utf8").split("\n").filter(Boolean)) {
    writeFileSync(join(dirname(cgroup), "cgroup.procs"), pid);
  }
  rmdirSync(cgroup);
}
