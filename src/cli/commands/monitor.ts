import { realpathSync } from "node:fs";
import { sep } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { cgroupPath } from "../../lb/host/cgroup-path.ts";
import type { TranslationEvent } from "../../lb/observe/events.ts";
import { Monitor } from "../../lb/observe/monitor.ts";
import { ProtocolNumber } from "../../lb/model/service.ts";
import { loadBalancerStatus } from "../../lb/observe/status.ts";
import { CommandError } from "../errors.ts";
import { pinOption } from "../options.ts";
import { colors, print, toJson } from "../output.ts";
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

/** Milliseconds between looks for events, and for what has become of the programs. */
const READ_INTERVAL = 20;
const CHECK_INTERVAL = 200;

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export function command(): Command {
  return new Command("monitor")
    .description(
      "Print each translation as it happens: a line when a socket asks for a service (pre-forward), one when it is sent to a backend " +
        "(post-forward; without one the call was refused), and the same for what comes back (pre-reverse, post-reverse).\n\n" +
        "For as long as it runs, other programs run that tell of it, and take their time for that. Ctrl-C puts the plain ones back.",
    )
    .option("--service <name...>", "only of these services")
    .option("--pid <pid>", "only of this process", wholeNumber)
    .option("--cgroup <directory>", "only of processes in this cgroup and those below it")
    .addOption(new Option("--protocol <protocol>", "only of this protocol").choices(Object.keys(ProtocolNumber)))
    .option("--count <events>", "end after so many", wholeNumber)
    .addOption(pinOption())
    .option("--json", "print one JSON document a line for other programs to read")
    .action(run);
}

async function run({ pin, json, count, ...filter }: Options): Promise<void> {
  const wanted = filterOf(filter, pin);
  const interruption = new AbortController();
  const interrupt = () => interruption.abort();
  for (const signal of SIGNALS) process.on(signal, interrupt);
  let monitor: Monitor | undefined;
  // However this process ends, as far as it can notice: a closed pipe, an error.
  const putBack = () => monitor?.closeNow();
  process.on("exit", putBack);
  try {
    monitor = await Monitor.open(pin);
    const listener = new Listener(
      monitor,
      interruption.signal,
      json ? (event) => `${toJson(event)}\n` : line,
      wanted,
      count,
    );
    if (!json) await print(colors.bold(HEAD));
    await listener.listen();
    await monitor.close();
    listener.tellLost();
    // Nothing more can be printed, and waiting for it would keep this process.
    if (listener.stalled) process.exit();
    await listener.printEvents();
  } finally {
    putBack();
    process.off("exit", putBack);
    for (const signal of SIGNALS) process.off(signal, interrupt);
  }
}

/** Prints events until it is told to end. */
class Listener {
  readonly #monitor: Monitor;
  readonly #signal: AbortSignal;
  readonly #text: (event: TranslationEvent) => string;
  readonly #wanted: (event: TranslationEvent) => boolean;
  #left: number;
  #lost = 0n;
  #stalled = false;

  constructor(
    monitor: Monitor,
    signal: AbortSignal,
    text: (event: TranslationEvent) => string,
    wanted: (event: TranslationEvent) => boolean,
    count = Infinity,
  ) {
    this.#monitor = monitor;
    this.#signal = signal;
    this.#text = text;
    this.#wanted = wanted;
    this.#left = count;
  }

  async listen(): Promise<void> {
    let checked = Date.now();
    while (!this.#signal.aborted && this.#left > 0) {
      await this.printEvents();
      if (Date.now() - checked >= CHECK_INTERVAL) {
        checked = Date.now();
        this.tellLost();
        const state = await this.#monitor.check();
        if (state === "again") say("loaded anew meanwhile: listening again");
        if (state === "unloaded") {
          say("unloaded meanwhile");
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

  /** Whether somebody has had us end while whoever reads what is printed did not. */
  get stalled(): boolean {
    return this.#stalled;
  }

  /** On standard error: what is printed on the other is events alone. */
  tellLost(): void {
    const { lost } = this.#monitor;
    if (lost > this.#lost) say(`${lost - this.#lost} events lost: they came faster than they could be read`);
    this.#lost = lost;
  }
}

/** Comes true once the signal aborts. */
function abortion(signal: AbortSignal): Promise<true> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(true), { once: true }));
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
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

/** @throws {CommandError} where there is nothing that could be listened for */
function filterOf(
  { service, pid, cgroup, protocol }: Omit<Options, "pin" | "json" | "count">,
  pin: string,
): (event: TranslationEvent) => boolean {
  if (service !== undefined) {
    const names = new Set(loadBalancerStatus(pin)?.services.map(({ name }) => name));
    const unknown = service.find((name) => names.size > 0 && !names.has(name));
    if (unknown !== undefined)
      throw new CommandError(`there is no service ${JSON.stringify(unknown)}`, {
        hint: "tsbpf status shows those that there are",
      });
  }
  const inCgroup = cgroup === undefined ? () => true : isBelow(cgroup);
  return (event) =>
    (service === undefined || service.includes(event.service ?? "")) &&
    (pid === undefined || event.pid === pid) &&
    (protocol === undefined || event.protocol === protocol) &&
    inCgroup(event.cgroupId);
}

/** @throws {CommandError} where there is no such directory */
function isBelow(cgroup: string): (id: bigint) => boolean {
  let top: string;
  try {
    top = realpathSync(cgroup);
  } catch {
    throw new CommandError(`there is no cgroup ${cgroup}`);
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
  return `${row([timeOfDay(time), kind, protocol, String(pid), String(cookie), printable(service ?? "")])}  ${addresses}\n`;
}

/** As wide as most are: nobody knows yet what will come. */
function row(cells: readonly string[]): string {
  return cells
    .map((cell, i) => cell.padEnd(WIDTHS[i] ?? 0))
    .join("  ")
    .trimEnd();
}

/** Milliseconds between this machine's start and the epoch; found once, so that times keep their distances. */
const START = performance.timeOrigin + performance.now() - Number(process.hrtime.bigint()) / 1e6;

/** `20:15:02.123456`, local time of a moment that is given in nanoseconds since boot. */
function timeOfDay(time: bigint): string {
  const moment = START + Number(time) / 1e6;
  const date = new Date(moment);
  const digits = (number: number, length: number) => String(number).padStart(length, "0");
  const seconds = [date.getHours(), date.getMinutes(), date.getSeconds()].map((number) => digits(number, 2)).join(":");
  return `${seconds}.${digits(Math.floor((moment % 1000) * 1000), 6)}`;
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new InvalidArgumentError("Expected a whole number from 1 on.");
  return Number(text);
}
