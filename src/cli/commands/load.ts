import { Command } from "commander";
import {
  Balancer,
  firstState,
  openSource,
  type ApplyResult,
  type ServiceStatus,
  type Status,
  type UnreservedPorts,
} from "../../lb/index.ts";
import { cgroupRoot } from "../../loader/index.ts";
import { printForeignPins, printMaps, printPrograms, printServices } from "../load-balancer-tables.ts";
import { listText } from "../list-text.ts";
import { jsonOption, pinOption } from "../options.ts";
import { colors, count, note, print, printJson } from "../output.ts";
import { packageFile } from "../package-file.ts";
import { withProgress } from "../progress.ts";
import { uninterrupted } from "../uninterrupted.ts";

interface Options {
  readonly config?: string;
  readonly cgroup?: string;
  readonly pin: string;
  readonly move?: true;
  readonly beside?: true;
  readonly json?: true;
}

interface LoadResult extends Omit<ApplyResult, "programs"> {
  readonly status: Status;
  /** Whether a load balancer was attached to the cgroup before. */
  readonly replaced: boolean;
}

/** The number of services in the table; `status` shows all. */
const SERVICES_SHOWN = 20;

export function command(): Command {
  return new Command("load")
    .description(
      "Load the load balancer, or replace the loaded one: build its programs for this kernel, attach them to a " +
        "cgroup, " +
        "and configure the services of a file.\n\nFrom then on every process in the cgroup that connects or " +
        "sends to a " +
        "service address reaches one of its backends, even after this command ends.",
    )
    .option("--config <file>", "the services, as YAML (default: the quickstart's, examples/quickstart.yaml)")
    .option("--cgroup <directory>", "balance the processes in this cgroup (default: the root of cgroup v2)")
    .option("--move", "move the load balancer from the cgroup it is attached to")
    .option("--beside", "attach beside another load balancer on the cgroup: each call passes both")
    .addOption(pinOption())
    .addOption(jsonOption())
    .action(async ({ config, cgroup, pin, move, beside, json }: Options) => {
      const result = await withProgress(json === true, async (onStep) => {
        onStep("reading the configuration");
        const state = await firstState(openSource("file", config ?? packageFile("examples/quickstart.yaml")));
        return uninterrupted(async () => {
          await using balancer = new Balancer({ pins: pin, cgroup, move, beside, onStep });
          const { programs, ...changes } = await balancer.apply(state);
          onStep("reading the maps");
          return { status: balancer.status()!, replaced: programs !== "attached", ...changes };
        });
      });
      if (result.unreservedPorts !== undefined) warnOfPorts(result.unreservedPorts, json);
      if (json) await printJson(result);
      else await report(result, cgroup ?? cgroupRoot(), config === undefined);
    });
}

async function report(
  { status, replaced, services, withoutLocalBackends, closedSockets, foreignPins }: LoadResult,
  cgroup: string,
  quickstart: boolean,
): Promise<void> {
  const changes = [
    [services.added, "added"],
    [services.changed, "changed"],
    [services.removed, "removed"],
    [services.unchanged, "unchanged"],
  ] as const;
  const text = changes
    .filter(([number]) => number > 0)
    .map(([number, what]) => `${count(number)} ${what}`)
    .join(", ");
  await print(`${colors.green(replaced ? "Replaced" : "Loaded")} on cgroup ${cgroup}, pinned at ${status.pins}\n\n`);
  await printPrograms(status.programs);
  await print("\n");
  await printMaps(status.maps);
  await print("\n");
  await printServices(status.services, SERVICES_SHOWN);
  await print(`\nServices: ${text === "" ? "none" : text}\n`);
  if (withoutLocalBackends.length > 0)
    await print(`Not balanced, for lack of a backend on this node: ${listText(withoutLocalBackends)}\n`);
  if (closedSockets > 0)
    await print(`Closed ${closedSockets === 1 ? "1 socket" : `${count(closedSockets)} sockets`} of removed backends\n`);
  await printForeignPins(foreignPins);
  const service = status.services.find(
    ({ backends, frontEnds, protocol }) => backends.length > 0 && frontEnds.length > 0 && protocol !== "udplite",
  );
  if (quickstart) await print(`Run its backends in another terminal: ${colors.cyan(demoCommand())}\n`);
  if (service !== undefined) await print(`Try: ${colors.cyan(trial(service, cgroup))}\n`);
}

/** In this repository, where `npm run load` was called, npx would first build and install the package. */
function demoCommand(): string {
  return process.env["npm_lifecycle_event"] === "load" ? "npm run demo" : "npx tsbpf demo";
}

/** On standard error, since standard output may be JSON. */
function warnOfPorts({ ports, reason }: UnreservedPorts, json: true | undefined): void {
  const warning = `cannot reserve ports ${ports.join(", ")}: ${reason}`;
  const hint =
    "bind(2) to port 0 fails with EPERM when the kernel chooses a node port; " +
    "add these ports to net.ipv4.ip_local_reserved_ports";
  if (json) note(`${warning}; ${hint}`, json);
  else process.stderr.write(`warning: ${warning}\nhint: ${hint}\n`);
}

/** A shell command that talks to a service. */
function trial({ frontEnds, protocol }: ServiceStatus, cgroup: string): string {
  const [, address, port] = /^\[?(.*?)\]?:(\d+)$/.exec(frontEnds[0]!)!;
  const talk =
    protocol === "udp"
      ? `echo hello | nc -u -w 1 ${address} ${port}`
      : `curl -v http://${frontEnds[0]!.replace(/:80$/, "")}/`;
  return cgroup === cgroupRoot() ? talk : `sh -c 'echo $$ > ${cgroup}/cgroup.procs && ${talk}'`;
}
