/** The load balancer's state as tables. */
import type { BackendStatus, ProgramStatus, ServiceStatus, Status } from "../lb/status.ts";
import { colors, count, print, printTable } from "./output.ts";

/** Backends that a table shows of one service, and addresses. */
const BACKENDS_SHOWN = 4;
const ADDRESSES_SHOWN = 2;

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
    services.slice(0, limit).map((service) => [service.name ?? "", listText(service.frontEnds, ADDRESSES_SHOWN), service.protocol, choiceText(service)]),
  );
  if (services.length > limit) await print(colors.dim(`and ${count(services.length - limit)} more\n`));
}

/** Between which backends a client's call is decided, and how. */
function choiceText({ backends, nodeLocal, localRedirect, algorithm, affinityTimeout }: ServiceStatus): string {
  return [
    backendsText(backends),
    ...(localRedirect ? ["this node's, in place of the address"] : nodeLocal ? ["this node's alone"] : []),
    ...(algorithm === "maglev" ? ["chosen by the client's address"] : []),
    ...(affinityTimeout > 0 ? [`each client keeps its own for ${affinityTimeout} s`] : []),
  ].join("; ");
}

/** Without any that takes connections, the service refuses them. */
function backendsText(backends: readonly BackendStatus[]): string {
  const list = listText(backends.map(backendText), BACKENDS_SHOWN);
  if (backends.some(({ state }) => state === "active" || state === "terminating")) return list;
  return `none${backends.length > 0 ? " in service" : ""}: refuses connections${backends.length > 0 ? ` (${list})` : ""}`;
}

/** `20.0.0.1:80 (weight 3, terminating)`; what is as usual is not said. */
function backendText({ endpoint, weight, state }: BackendStatus): string {
  const remarks = [...(weight === 1 ? [] : [`weight ${weight}`]), ...(state === "active" ? [] : [state])];
  return remarks.length === 0 ? endpoint : `${endpoint} (${remarks.join(", ")})`;
}

function listText(items: readonly string[], shown: number): string {
  const more = items.length - shown;
  return items.slice(0, shown).join(", ") + (more > 0 ? `, and ${count(more)} more` : "");
}
