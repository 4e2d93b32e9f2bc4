import { once } from "node:events";
import type { ChildProcess } from "node:child_process";
import { startIn, type Place } from "../../src/testing/index.ts";

/** Backends, each `address:port`, an IPv6 address in brackets. */
export interface Backends {
  readonly tcp?: readonly string[];
  readonly udp?: readonly string[];
}

/**
 * Starts a process that answers HTTP requests at the TCP backends and datagrams at the UDP ones with the backend's
 * own `address:port`. Returns once it listens.
 */
export async function startBackends(place: Place, backends: Backends): Promise<ChildProcess> {
  const child = startIn(place, process.execPath, "--input-type=module", "--eval", script, JSON.stringify(backends));
  let errors = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const outcome = await Promise.race([
    once(child.stdout!, "data").then(() => "ready"),
    once(child, "exit").then(() => "exit"),
  ]);
  if (outcome === "exit") throw new Error(`cannot start the backends: ${errors}`);
  return child;
}

const script = `
  import { createSocket } from "node:dgram";
  import { once } from "node:events";
  import { createServer } from "node:http";
  const { tcp = [], udp = [] } = JSON.parse(process.argv[1]);
  const parts = (backend) => {
    const colon = backend.lastIndexOf(":");
    return [Number(backend.slice(colon + 1)), backend.slice(0, colon).replace(/^\\[|\\]$/g, "")];
  };
  for (const backend of tcp) {
    const server = createServer((request, response) =>
      response.setHeader("content-length", backend.length).end(backend));
    await once(server.listen(...parts(backend)), "listening");
  }
  for (const backend of udp) {
    const socket = createSocket(backend.startsWith("[") ? "udp6" : "udp4");
    await once(socket.bind(...parts(backend)), "listening");
    socket.on("message", (message, { port, address }) => socket.send(backend, port, address));
  }
  // Exits when the test closes the pipe, even by dying.
  process.stdin.resume().on("end", () => process.exit());
  console.log("ready");
`;
