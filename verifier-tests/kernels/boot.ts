/** Boots a kernel under virtme-ng, with the machine's root file system, and runs a command there. */
import { spawn } from "node:child_process";
import { ConsoleReader, type GuestMessage } from "./console.ts";

/** What to boot, and how. */
export interface GuestOptions {
  /** The kernel image. */
  readonly image: string;
  /** A shell command, run as root in the guest. */
  readonly command: string;
  /** True for hardware virtualization, false for emulation. */
  readonly kvm: boolean;
  readonly timeoutSeconds: number;
  readonly onMessage: (message: GuestMessage) => void;
}

/** The end of a guest. */
export interface GuestEnd {
  /** Why the results are unreliable; absent if the guest completed. */
  readonly failure?: string;
  /** Last lines of the console, for a failure. */
  readonly tail: readonly string[];
  readonly seconds: number;
}

/** Runs a guest until it ends or times out. Never rejects for what happens in the guest. */
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
    // Every kernel has 9p; probing for virtiofs first only takes time.
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
  // vng reopens its output by name in /proc, which works for a shell's pipe but not for the sockets that Node
  // gives to children. The child leads its own process group, so that the emulator, a grandchild, is killed
  // with it.
  const child = spawn("bash", ["-c", 'vng "$@" </dev/null 2> >(cat >&2) | cat', "bash", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const stop = () => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has already ended.
    }
  };
  const limit = setTimeout(() => {
    failure ??= `timed out after ${options.timeoutSeconds} s`;
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
