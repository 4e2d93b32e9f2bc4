/** The load balancer's state as tables. */
import type { ProgramStatus, ServiceStatus, Status } from "../lb/status.ts";
import { colors, count, print, printTable } from "./output.ts";

/** Backends that a table shows of one service. */
const BACKENDS_SHOWN = 4;

/** Programs; with their runs where the kernel has counted some. */
export async function printPrograms(programs: readonly ProgramStatus[]): Promise<void> {
  const counted = programs.some(({ runs }) => runs !== undefined);
  await printTable(
    [
      { header: "PROGRAM" }, { header: "HOOK" }, { header: "INSTRUCTIONS", align: "right" }, { header: "JITED BYTES", align: "right" },
      { header: "LINK", align: "right" },
      ...(counted ? [{ header: "RUNS", align: "right" }, { header: "MEAN NS", align: "right" }] as const : []),
    ],
    programs.map(({ name, hook, instructions, jitedBytes, linkId, runs }) => [
      name, hook, count(instructions), count(jitedBytes), String(linkId),
      ...(counted ? [count(runs?.count ?? 0), runs === undefined ? "" : String(Math.round(runs.meanNs))] : []),
    ]),
  );
}

export async function printMaps(maps: Status["maps"]): Promise<void> {
  await printTable(
    [{ header: "MAP" }, { header: "TYPE" }, { header: "ENTRIES", align: "right" }],
    maps.map(({ name, type, maxEntries }) => [name, type, maxEntries === 0 ? "" : count(maxEntries)]),
  );
}

/** Services; with `limit`, the first of them and how many more there are. */
export async function printServices(services: readonly ServiceStatus[], limit = Infinity): Promise<void> {
  if (services.length === 0) return print("no services\n");
  await printTable(
    [{ header: "SERVICE" }, { header: "ADDRESS" }, { header: "PROTOCOL" }, { header: "BACKENDS" }],
    services.slice(0, limit).map(({ name, address, port, protocol, backends }) =>
      [name ?? "", `${address}:${port}`, protocol, backendsText(backends)]),
  );
  if (services.length > limit) await print(colors.dim(`and ${count(services.length - limit)} more\n`));
}

function backendsText(backends: readonly string[]): string {
  if (backends.length === 0) return "none: refuses connections";
  const more = backends.length - BACKENDS_SHOWN;
  return backends.slice(0, BACKENDS_SHOWN).join(", ") + (more > 0 ? `, and ${count(more)} more` : "");
}
