/** Boots a kernel under virtme-ng, with the machine's own root file system inside, and runs a command there. */
import { spawn } from "node:child_process";
import { ConsoleReader, type GuestMessage } from "./console.ts";

/** What is booted, and how. */
export interface GuestOptions {
  /** The kernel image. */
  readonly image: string;
  /** A shell command, run as root in the guest. */
  readonly command: string;
  /** Hardware virtualization, or software emulation. */
  readonly kvm: boolean;
  readonly timeoutSeconds: number;
  readonly onMessage: (message: GuestMessage) => void;
}

/** How a guest ended. */
export interface GuestEnd {
  /** Why the results cannot be relied on; absent where the guest got to its end. */
  readonly failure?: string;
  /** Last lines of the console, for a failure. */
  readonly tail: readonly string[];
  readonly seconds: number;
}

/** Runs a guest to its end or to its time limit. Never rejects for what the guest does. */
export function bootGuest(options: GuestOptions): Promise<GuestEnd> {
  const started = Date.now();
  let results = 0;
  let failure: string | undefined;
  let ended = false;
  const reader = new ConsoleReader((message) => {
    if (message.type === "result") results++;
    if (message.type === "error") failure = message.message;
    if (message.type === "end") {
      ended = true;
      if (message.results !== results) failure = `${results} results arrived of the ${message.results} that were sent`;
    }
    options.onMessage(message);
  });
  const args = [
    "--run",
    options.image,
    ...(options.kvm ? [] : ["--disable-kvm"]),
    // 9p is there on every kernel; looking for virtiofs first only takes time.
    "--force-9p",
    "--cpus",
    "2",
    "--memory",
    "2G",
    "--user",
    "root",
    "--verbose",
    "--",
    options.command,
  ];
  // vng opens its output anew by its name in /proc, which works for a pipe of the
  // shell's but not for the sockets that Node gives to a child. The process
  // group of its own is there because the emulator, a grandchild, has to go with it.
  const child = spawn("bash", ["-c", 'vng "$@" </dev/null 2> >(cat >&2) | cat', "bash", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const stop = () => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  };
  const limit = setTimeout(() => {
    failure ??= `not at its end after ${options.timeoutSeconds} s`;
    stop();
  }, options.timeoutSeconds * 1000);
  process.once("exit", stop);
  child.stdout.setEncoding("utf8").on("data", (text: string) => reader.write("output", text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => reader.write("console", text));

  return new Promise((resolve) => {
    const finish = (end: string | undefined) => {
      clearTimeout(limit);
      process.removeListener("exit", stop);
      reader.end();
      failure ??= end ?? (ended ? undefined : "the guest ended before its suite did");
      if (reader.garbled > 0) failure ??= `${reader.garbled} lines of results arrived garbled`;
      resolve({
        ...(failure !== undefined && { failure }),
        tail: reader.tail(40),
        seconds: (Date.now() - started) / 1000,
      });
    };
    child.on("error", (error) => finish(`cannot run vng: ${error.message}`));
    child.on("close", () => finish(undefined));
  });
}
