import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { text } from "node:stream/consumers";
import type { Endpoint } from "../../../programs/testing/index.ts";
import { findPython } from "../../../programs/testing/python.ts";
import { startIn, type Place } from "../../testing/index.ts";
import type { AddressFamily } from "../index.ts";

const script = fileURLToPath(new URL("answers-in-flight.py", import.meta.url));

/** A service, and the family of the sockets that ask it. */
export interface Asked extends Endpoint {
  readonly socket: AddressFamily;
}

/**
 * Runs `work` while a process in `place` asks UDP services all the time and its
 * own backends answer a tenth of a second later.
 * @returns the number of answers by their sender as the process sees it: `address port`
 */
export async function withAnswersInFlight(
  place: Place,
  services: readonly Asked[],
  backends: readonly Endpoint[],
  work: () => Promise<void>,
): Promise<Readonly<Record<string, number>>> {
  const child = startIn(
    place,
    findPython()!,
    script,
    JSON.stringify({
      services: services.map(({ socket, address, port }) => [socket, address, port]),
      backends: backends.map(({ address, port }) => [address, port]),
    }),
  );
  try {
    const errors = text(child.stderr!);
    await Promise.race([once(child.stdout!, "readable"), errors.then((reason) => Promise.reject(new Error(reason)))]);
    const output = text(child.stdout!);
    await work();
    child.stdin!.end();
    return JSON.parse((await output).trim().split("\n").at(-1)!) as Record<string, number>;
  } finally {
    child.kill("SIGKILL");
  }
}
