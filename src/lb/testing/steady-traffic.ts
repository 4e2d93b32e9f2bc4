import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { text } from "node:stream/consumers";
import type { Endpoint } from "../../../programs/testing/index.ts";
import { findPython } from "../../../programs/testing/python.ts";
import { startIn, type Place } from "../../testing/index.ts";

const script = fileURLToPath(new URL("steady-traffic.py", import.meta.url));

/** A question that a process asked a service, and the answer. */
export interface Question {
  readonly way: "lasting UDP" | "fresh UDP" | "connected UDP" | "TCP";
  /** Index of the service. */
  readonly service: number;
  /** Nanoseconds of CLOCK_MONOTONIC, the clock of `process.hrtime`. */
  readonly begin: bigint;
  readonly end: bigint;
  /** The name of the backend, or of an error. */
  readonly answer: string;
  /** The sender of the answer as the process sees it; the peer of a stream. Undefined without an answer. */
  readonly source: Endpoint | undefined;
}

/**
 * Runs `work` while a process in `place` asks all services without pause, in
 * every way: from one lasting socket per service, new sockets, connected
 * sockets, and over TCP.
 */
export async function withSteadyTraffic(
  place: Place,
  services: readonly Endpoint[],
  work: () => Promise<void>,
): Promise<Question[]> {
  const child = startIn(
    place,
    findPython()!,
    script,
    JSON.stringify(services.map(({ address, port }) => [address, port])),
  );
  try {
    const errors = text(child.stderr!);
    await once(child.stdout!, "readable");
    const output = text(child.stdout!);
    await work();
    child.stdin!.end();
    const lines = (await output).trim().split("\n").slice(1);
    if (lines.length === 0) throw new Error(`the process that asks ended: ${await errors}`);
    return lines.map((line) => {
      const [way, service, begin, end, answer, source] = JSON.parse(line) as [
        Question["way"],
        number,
        number,
        number,
        string,
        [string, number] | null,
      ];
      return {
        way,
        service,
        begin: BigInt(begin),
        end: BigInt(end),
        answer,
        source: source === null ? undefined : { address: source[0], port: source[1] },
      };
    });
  } finally {
    child.kill("SIGKILL");
  }
}
