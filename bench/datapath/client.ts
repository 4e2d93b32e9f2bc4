/** The client process (c/client.c): makes socket calls in a loop, on one processor. */
import { execFileSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { startIn } from "../../src/testing/index.ts";
import type { Destinations } from "./services.ts";

/** Compiles the client into a directory; returns its path. */
export function compileClient(directory: string): string {
  const executable = join(directory, "client");
  execFileSync("gcc", ["-O2", fileURLToPath(new URL("c/client.c", import.meta.url)), "-o", executable], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  return executable;
}

/** The operation in the client's loop. `new-` and `tcp` use a new socket each time, from socket(2) to close(2). */
export type Operation = "connect" | "exchange" | "getpeername" | "new-connect" | "new-exchange" | "tcp";

export interface Loop {
  readonly operation: Operation;
  /** The number of repetitions. */
  readonly count: number;
  readonly destinations: Destinations;
  /** Whether answers must come from the destination of the question. */
  readonly fromDestination: boolean;
}

export class Client {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #errors = "";

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr!.setEncoding("utf8").on("data", (text: string) => (this.#errors += text));
    // Its end is noticed by a missing answer.
    child.stdin!.on("error", () => {});
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  }

  /** Starts a client, which enters the cgroup; its backends stay outside. */
  static async start(
    executable: string,
    {
      networkNamespace,
      cgroup,
      processor,
    }: { networkNamespace: string; cgroup?: string | undefined; processor: number },
  ): Promise<Client> {
    const client = new Client(
      startIn({ networkNamespace }, executable, String(processor), ...(cgroup === undefined ? [] : [cgroup])),
    );
    await client.#answer("ready");
    return client;
  }

  /** Opens and warms up the sockets of the loop. */
  async prepare({
    operation,
    count,
    destinations: { first, stride, count: spread, port },
    fromDestination,
  }: Loop): Promise<void> {
    this.#child.stdin!.write(`${operation} ${count} ${first} ${stride} ${spread} ${port} ${fromDestination ? 1 : 0}\n`);
    await this.#answer("prepared");
  }

  /** Runs the loop; returns nanoseconds of processor time. */
  async run(): Promise<number> {
    this.#child.stdin!.write("go\n");
    return Number(await this.#answer());
  }

  /** Closes the sockets. */
  end(): void {
    this.#child.stdin!.write("end\n");
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  async #answer(wanted?: string): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`the client ended: ${this.#errors.trim()}`);
    if (wanted !== undefined && value !== wanted)
      throw new Error(`unexpected answer of the client: ${JSON.stringify(value)} instead of ${wanted}`);
    return value as string;
  }
}
