import { realpathSync } from "node:fs";
import { sep } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { cgroupPath, loadBalancerStatus, Monitor, ProtocolNumber, type TranslationEvent } from "../../lb/index.ts";
import { CommandError } from "../errors.ts";
import { pinOption } from "../options.ts";
import { colors, note, print, toJson } from "../output.ts";
import { printable } from "../table.ts";

interface Options {
  readonly pin: string;
  readonly json?: true;
  readonly service?: readonly string[];
  readonly pid?: number;
  readonly cgroup?: string;
  readonly protocol?: string;
  readonly count?: number;
}

/** Milliseconds between reads of events, and between checks of the programs. */
const READ_INTERVAL = 20;
const CHECK_INTERVAL = 200;

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export function command(): Command {
  return new Command("monitor")
    .description(
      "Print each translation as it happens: a line when a socket calls a service (pre-forward) and one when the " +
        "call " +
        "goes to a backend (post-forward; without it, the call was refused); likewise for replies (pre-reverse, " +
        "post-reverse).\n\nWhile it runs, the programs are replaced by ones that emit events, which take longer. " +
        "Ctrl-C " +
        "restores the plain programs.",
    )
    .option("--service <name...>", "only these services")
    .option("--pid <pid>", "only this process", wholeNumber)
    .option("--cgroup <directory>", "only processes in this cgroup and the cgroups below it")
    .addOption(new Option("--protocol <protocol>", "only this protocol").choices(Object.keys(ProtocolNumber)))
    .option("--count <events>", "stop after this many events", wholeNumber)
    .addOption(pinOption())
    .option("--json", "print one JSON document per line")
    .action(run);
}

async function run({ pin, json, count, ...filter }: Options): Promise<void> {
  const wanted = filterOf(filter, pin);
  const interruption = new AbortController();
  const interrupt = () => interruption.abort();
  for (const signal of SIGNALS) process.on(signal, interrupt);
  let monitor: Monitor | undefined;
  // Restores the programs however this process ends, including by a closed pipe or an error.
  const restore = () => monitor?.closeNow();
  process.on("exit", restore);
  try {
    monitor = await Monitor.open(pin);
    const listener = new Listener(monitor, interruption.signal, json === true, wanted, count);
    if (!json) await print(colors.bold(HEAD));
    await listener.listen();
    await monitor.close();
    listener.reportLost();
    // Nothing more can be printed, and waiting would block this process.
    if (listener.stalled) process.exit();
    await listener.printEvents();
  } finally {
    restore();
    process.off("exit", restore);
    for (const signal of SIGNALS) process.off(signal, interrupt);
  }
}

/** Prints events until it is stopped. */
class Listener {
  readonly #monitor: Monitor;
  readonly #signal: AbortSignal;
  readonly #text: (event: TranslationEvent) => string;
  readonly #note: (text: string) => void;
  readonly #wanted: (event: TranslationEvent) => boolean;
  #left: number;
  #lost = 0n;
  #stalled = false;

  constructor(
    monitor: Monitor,
    signal: AbortSignal,
    json: boolean,
    wanted: (event: TranslationEvent) => boolean,
    count = Infinity,
  ) {
    this.#monitor = monitor;
    this.#signal = signal;
    this.#text = json ? (event) => `${toJson(event)}\n` : line;
    this.#note = (text) => note(text, json);
    this.#wanted = wanted;
    this.#left = count;
  }

  async listen(): Promise<void> {
    let checked = Date.now();
    while (!this.#signal.aborted && this.#left > 0) {
      await this.printEvents();
      if (Date.now() - checked >= CHECK_INTERVAL) {
        checked = Date.now();
        this.reportLost();
        const state = await this.#monitor.check();
        if (state === "again") this.#note("reloaded: listening again");
        if (state === "unloaded") {
          this.#note("unloaded: stopping");
          return;
        }
      }
      await pause(READ_INTERVAL, this.#signal);
    }
  }

  async printEvents(): Promise<void> {
    const events = this.#monitor.read().filter(this.#wanted).slice(0, this.#left);
    this.#left -= events.length;
    if (events.length === 0) return;
    const printing = print(events.map(this.#text).join("")).then(() => false);
    this.#stalled = await (this.#signal.aborted ? printing : Promise.race([printing, abortion(this.#signal)]));
  }

  /** Whether the signal aborted while the reader of the output did not read. */
  get stalled(): boolean {
    return this.#stalled;
  }

  /** Reports on standard error, since standard output has events only. */
  reportLost(): void {
    const { lost } = this.#monitor;
    if (lost > this.#lost) this.#note(`${lost - this.#lost} events lost: they arrived faster than they were read`);
    this.#lost = lost;
  }
}

/** Resolves to true once the signal aborts. */
function abortion(signal: AbortSignal): Promise<true> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(true), { once: true }));
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, milliseconds);
    signal.addEventListener("abort", wake);
  });
}

/** @throws {CommandError} for an unknown service or cgroup */
function filterOf(
  { service, pid, cgroup, protocol }: Omit<Options, "pin" | "json" | "count">,
  pin: string,
): (event: TranslationEvent) => boolean {
  if (service !== undefined) {
    const names = new Set(loadBalancerStatus(pin)?.services.map(({ name }) => name));
    const unknown = service.find((name) => names.size > 0 && !names.has(name));
    if (unknown !== undefined)
      throw new CommandError(`cannot monitor service ${JSON.stringify(unknown)}: there is no such service`, {
        hint: "tsbpf status lists the services",
      });
  }
  const inCgroup = cgroup === undefined ? () => true : isBelow(cgroup);
  return (event) =>
    (service === undefined || service.includes(event.service ?? "")) &&
    (pid === undefined || event.pid === pid) &&
    (protocol === undefined || event.protocol === protocol) &&
    inCgroup(event.cgroupId);
}

/** @throws {CommandError} if the directory does not exist */
function isBelow(cgroup: string): (id: bigint) => boolean {
  let top: string;
  try {
    top = realpathSync(cgroup);
  } catch {
    throw new CommandError(`cannot monitor cgroup ${cgroup}: there is no such cgroup`);
  }
  const known = new Map<bigint, boolean>();
  return (id) => {
    let below = known.get(id);
    if (below === undefined) {
      const path = cgroupPath(id);
      known.set(id, (below = path !== undefined && (path === top || path.startsWith(`${top}${sep}`))));
    }
    return below;
  };
}

const WIDTHS = [15, 12, 7, 8, 12] as const;
const HEAD = `${row(["TIME", "EVENT", "PROTOCOL", "PID", "COOKIE", "SERVICE"])}  ADDRESSES\n`;

function line({ time, kind, protocol, pid, cookie, service, original, translated }: TranslationEvent): string {
  const addresses = translated === undefined ? original : `${original} -> ${translated}`;
  const columns = row([timeOfDay(time), kind, protocol, String(pid), String(cookie), printable(service ?? "")]);
  return `${columns}  ${addresses}\n`;
}

/** Fixed widths that suit most values, since later rows are unknown. */
function row(cells: readonly string[]): string {
  return cells
    .map((cell, i) => cell.padEnd(WIDTHS[i] ?? 0))
    .join("  ")
    .trimEnd();
}

/** Milliseconds from the epoch to boot. Computed once, so that differences between times are exact. */
const START = performance.timeOrigin + performance.now() - Number(process.hrtime.bigint()) / 1e6;

/** `20:15:02.123456`, the local time of a moment in nanoseconds since boot. */
function timeOfDay(time: bigint): string {
  const moment = START + Number(time) / 1e6;
  const date = new Date(moment);
  const digits = (number: number, length: number) => String(number).padStart(length, "0");
  const seconds = [date.getHours(), date.getMinutes(), date.getSeconds()].map((number) => digits(number, 2)).join(":");
  return `${seconds}.${digits(Math.floor((moment % 1000) * 1000), 6)}`;
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new InvalidArgumentError("Expected a whole number above 0.");
  return Number(text);
}
