import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:http";
import { Command } from "commander";
import { endpointText, isLoopback, readConfig } from "../../lb/index.ts";
import { CommandError } from "../errors.ts";
import { print } from "../output.ts";
import { packageFile } from "../package-file.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export function command(): Command {
  return new Command("demo")
    .description(
      "Run a small server for each loopback backend of a configuration file, until Ctrl-C. Over TCP it answers HTTP " +
        "requests and over UDP it answers each datagram, with its own address.",
    )
    .option("--config <file>", "the services, as YAML (default: the quickstart's, examples/quickstart.yaml)")
    .action(({ config }: { config?: string }) => serve(config ?? packageFile("examples/quickstart.yaml")));
}

async function serve(config: string): Promise<void> {
  const stopped = new Promise<void>((resolve) => {
    for (const signal of SIGNALS) process.once(signal, () => resolve());
  });
  const servers: { close(): unknown }[] = [];
  try {
    for (const { protocol, backends } of readConfig(config).services) {
      for (const { address, port } of backends) {
        if (!isLoopback(address) || protocol === "udplite") continue;
        const name = endpointText({ address, port });
        servers.push(await (protocol === "tcp" ? serveTcp : serveUdp)(address, port, name));
        await print(`${protocol} backend ${name}\n`);
      }
    }
    if (servers.length === 0)
      throw new CommandError(`cannot run backends: ${config} has no TCP or UDP backend on a loopback address`);
    await print("Running; Ctrl-C stops them.\n");
    await stopped;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    throw new CommandError(`cannot run the backends: ${(error as Error).message}`, {
      hint: "another demo may be running; stop it first",
    });
  } finally {
    for (const server of servers) server.close();
  }
}

/** Closes the connection after each answer, so that the next request selects a backend again. */
async function serveTcp(address: string, port: number, name: string): Promise<{ close(): unknown }> {
  const server = createServer((_request, response) =>
    response.setHeader("connection", "close").end(`hello from ${name}\n`),
  );
  await once(server.listen(port, address), "listening");
  return server;
}

async function serveUdp(address: string, port: number, name: string): Promise<{ close(): unknown }> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  socket.on("message", (_data, sender) => socket.send(`hello from ${name}\n`, sender.port, sender.address));
  socket.bind(port, address);
  await once(socket, "listening");
  return socket;
}
