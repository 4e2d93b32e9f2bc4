import { spawn, type ChildProcess } from "node:child_process";

export interface Place {
  /** The cgroup that the process starts in. */
  readonly cgroup?: string | undefined;
  /** Name of the network namespace that it starts in. */
  readonly networkNamespace?: string | undefined;
}

export interface Outcome {
  /** Exit code; 128 where a signal ended it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a program in a cgroup and a network namespace; it is there before its first instruction. */
export function startIn(place: Place, command: string, ...args: readonly string[]): ChildProcess {
  const enter = place.networkNamespace === undefined ? [] : ["nsenter", `--net=/run/netns/${place.networkNamespace}`];
  const script = place.cgroup === undefined ? 'exec "$@"' : 'echo $$ > "$0/cgroup.procs" && exec "$@"';
  return spawn("sh", ["-c", script, place.cgroup ?? "sh", ...enter, command, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
  });
}

/** Runs a program to its end. */
export async function runIn(place: Place, command: string, ...args: readonly string[]): Promise<Outcome> {
  const child = startIn(place, command, ...args);
  child.stdin!.end();
  let stdout = "";
  let stderr = "";
  child.stdout!.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr!.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ status: code ?? (signal === null ? 255 : 128), stdout, stderr }));
  });
}

/**
 * Runs JavaScript (an ES module's text) in a Node of its own, and gives what it
 * printed, parsed as JSON.
 * @throws {Error} with its error output, where it fails
 */
export async function runScriptIn<T>(place: Place, script: string): Promise<T> {
  const { status, stdout, stderr } = await runIn(place, process.execPath, "--input-type=module", "--eval", script);
  if (status !== 0) throw new Error(`the script ended with status ${status}: ${stderr}`);
  return JSON.parse(stdout) as T;
}
