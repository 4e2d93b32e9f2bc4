import { Command } from "commander";
import { unloadLoadBalancer } from "../../lb/index.ts";
import { printForeignPins } from "../load-balancer-tables.ts";
import { jsonOption, pinOption } from "../options.ts";
import { colors, print, printJson } from "../output.ts";
import { uninterrupted } from "../uninterrupted.ts";

interface Options {
  readonly pin: string;
  readonly now?: true;
  readonly json?: true;
}

export function command(): Command {
  return new Command("unload")
    .description(
      "Detach the load balancer's programs and remove its maps and pins. Existing connections keep their " +
        "backends.\n\nCalls are no longer redirected at once. The programs that give answers the service's address " +
        "stay up to 2 seconds more, while datagram sockets have flows.",
    )
    .option("--now", "detach everything at once: answers in flight come from the backend's address")
    .addOption(pinOption())
    .addOption(jsonOption())
    .action(async ({ pin, now, json }: Options) => {
      const removed = await uninterrupted(() => unloadLoadBalancer(pin, { now }));
      if (json) return printJson(removed ?? { links: [], programs: [], maps: [], foreignPins: [] });
      if (removed === undefined) return print(`Nothing is loaded at ${pin}\n`);
      const text = (["links", "programs", "maps"] as const).map((kind) => `${removed[kind].length} ${kind}`).join(", ");
      await print(`${colors.green("Unloaded")} from ${pin}: ${text}\n`);
      await printForeignPins(removed.foreignPins);
      const left = removed.stillReservedPorts;
      if (left !== undefined)
        await print(`Still in net.ipv4.ip_local_reserved_ports: ${left.ports.join(", ")}: ${left.reason}\n`);
    });
}
