import { Command } from "commander";
import { unloadLoadBalancer } from "../../lb/index.ts";
import { jsonOption, pinOption } from "../options.ts";
import { colors, print, printJson } from "../output.ts";
import { uninterrupted } from "../uninterrupted.ts";

interface Options {
  readonly pin: string;
  readonly json?: true;
}

export function command(): Command {
  return new Command("unload")
    .description(
      "Detach the load balancer's programs and remove its maps and pins. Existing connections keep their backends.",
    )
    .addOption(pinOption())
    .addOption(jsonOption())
    .action(async ({ pin, json }: Options) => {
      const removed = await uninterrupted(() => unloadLoadBalancer(pin));
      if (json) return printJson(removed ?? { links: [], programs: [], maps: [] });
      if (removed === undefined) return print(`Nothing is loaded at ${pin}\n`);
      const text = (["links", "programs", "maps"] as const).map((kind) => `${removed[kind].length} ${kind}`).join(", ");
      return print(`${colors.green("Unloaded")} from ${pin}: ${text}\n`);
    });
}
