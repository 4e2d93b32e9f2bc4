import { Command } from "commander";
import { loadBalancerStatus, nothingLoaded } from "../../lb/index.ts";
import { CommandError } from "../errors.ts";
import {
  printEvictions,
  printForeignPins,
  printMaps,
  printOptOut,
  printPrograms,
  printServices,
} from "../load-balancer-tables.ts";
import { jsonOption, pinOption } from "../options.ts";
import { colors, print, printJson } from "../output.ts";

interface Options {
  readonly pin: string;
  readonly json?: true;
}

export function command(): Command {
  return new Command("status")
    .description(
      "Show the attached programs, the services with their backends, and the use of the maps. " +
        "Exits with code 1 if nothing is loaded.",
    )
    .addOption(pinOption())
    .addOption(jsonOption())
    .action(async ({ pin, json }: Options) => {
      const status = loadBalancerStatus(pin);
      if (json) await printJson(status === undefined ? { loaded: false } : { loaded: true, ...status });
      if (status === undefined) throw nothingLoaded(pin);
      if (!json) {
        const cgroups = new Set(
          status.programs.filter(({ attached }) => attached).map(({ cgroup }) => cgroup ?? "(not visible from here)"),
        );
        for (const cgroup of cgroups)
          await print(`${colors.green("Attached")} to cgroup ${cgroup}, pinned at ${status.pins}\n`);
        await print("\n");
        await printPrograms(status.programs);
        if (status.programs.every(({ runs }) => runs === undefined)) {
          await print(
            colors.dim("runs are counted while kernel.bpf_stats_enabled is 1: sysctl -w kernel.bpf_stats_enabled=1\n"),
          );
        }
        if (status.events === "on") await print("Events are on for tsbpf monitor, and the programs take longer\n");
        await print("\n");
        await printServices(status.services);
        await print("\n");
        await printOptOut(status.optOut);
        await printMaps(status.maps);
        await printEvictions(status.evictions);
        await printForeignPins(status.foreignPins);
      }
      if (status.missing.length > 0) {
        throw status.programs.some(({ attached }) => attached)
          ? new CommandError(
              `half attached: nothing runs at ${status.missing.join(", ")}: ` +
                "a load or unload was interrupted, or something else detached the programs",
              { hint: "load again to attach them, or unload to detach the others" },
            )
          : new CommandError(
              `${status.programs.map(({ name }) => name).join(", ")}: pinned, but not attached: the cgroup is gone`,
              { hint: "load again" },
            );
      }
    });
}
