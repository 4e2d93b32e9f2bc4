import { spawn, type ChildProcess } from "node:child_process";

export interface Place {
  /** The cgroup to start in. */
  readonly cgroup?: string | undefined;
  /** The name of the network namespace to start in. */
  readonly networkNamespace?: string | undefined;
}

export interface Outcome {
  /** The exit code; 128 if a signal ended the process. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a program that is in the cgroup and network namespace from its first instruction on. */
export function startIn(place: Place, command: string, ...args: readonly string[]): ChildProcess {
  const enter = place.networkNamespace === undefined ? [] : ["nsenter", `--net=/run/netns/${place.networkNamespace}`];
  const script = place.cgroup === undefined ? 'exec "$@"' : 'echo $$ > "$0/cgroup.procs" && exec "$@"';
  return spawn("sh", ["-c", script, place.cgroup ?? "sh", ...enter, command, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
  });
}

/** Runs a program to completion. */
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
 * Runs the text of an ES module in a new Node process and returns its output, parsed as JSON.
 * @throws {Error} with its error output, if it fails
 */
export async function runScriptIn<T>(place: Place, script: string): Promise<T> {
  const { status, stdout, stderr } = await runIn(place, process.execPath, "--input-type=module", "--eval", script);
  if (status !== 0) throw new Error(`the script ended with status ${status}: ${stderr}`);
  return JSON.parse(stdout) as T;
}
