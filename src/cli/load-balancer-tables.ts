/** The load balancer's state as tables. */
import type { BackendStatus, MapStatus, ProgramStatus, ServiceStatus, Status } from "../lb/index.ts";
import { listText } from "./list-text.ts";
import { colors, count, print, printTable } from "./output.ts";

/** Backends and addresses shown per service. */
const BACKENDS_SHOWN = 4;
const ADDRESSES_SHOWN = 2;

/** Prints the programs, with their runs if the kernel has counted any. */
export async function printPrograms(programs: readonly ProgramStatus[]): Promise<void> {
  const counted = programs.some(({ runs }) => runs !== undefined);
  await printTable(
    [
      { header: "PROGRAM" },
      { header: "HOOK" },
      { header: "INSTRUCTIONS", align: "right" },
      { header: "JITED BYTES", align: "right" },
      { header: "LINK", align: "right" },
      ...(counted
        ? ([
            { header: "RUNS", align: "right" },
            { header: "MEAN NS", align: "right" },
          ] as const)
        : []),
    ],
    programs.map(({ name, hook, instructions, jitedBytes, linkId, runs }) => [
      name,
      hook,
      count(instructions),
      count(jitedBytes),
      String(linkId),
      ...(counted ? [count(runs?.count ?? 0), runs === undefined ? "" : String(Math.round(runs.meanNs))] : []),
    ]),
  );
}

/** Prints the maps, with their use and its source. */
export async function printMaps(
  maps: readonly Pick<MapStatus, "name" | "type" | "use" | "maxEntries">[],
): Promise<void> {
  await printTable(
    [{ header: "MAP" }, { header: "TYPE" }, ...useColumns],
    maps.map((map) => [map.name, map.type, ...useCells(map)]),
  );
  await printUseNote(maps);
}

/** Prints what maps dropped to make room, where that is known. */
export async function printEvictions({ reverseEntries, fullMaps }: Status["evictions"]): Promise<void> {
  if (reverseEntries !== undefined) await print(`Evicted reverse entries: ${count(reverseEntries)}\n`);
  for (const name of fullMaps) {
    const counted = reverseEntries === undefined ? "; options.metrics counts evicted reverse entries" : "";
    await print(`Map ${name} is full and evicts the entries unused the longest${counted}\n`);
  }
}

/** Columns for the use of a map. */
export const useColumns = [
  { header: "USED", align: "right" },
  { header: "ENTRIES", align: "right" },
  { header: "FULL", align: "right" },
] as const;

/** The cells of these columns. */
export function useCells({
  use,
  maxEntries,
}: Pick<MapStatus, "use" | "maxEntries">): readonly [used: string, entries: string, full: string] {
  return [
    use === undefined ? "" : count(use.used),
    maxEntries === 0 ? "" : count(maxEntries),
    use === undefined ? "" : `${Math.floor((100 * use.used) / maxEntries)}%`,
  ];
}

/** Prints where the use comes from. */
export async function printUseNote(maps: readonly Pick<MapStatus, "use">[]): Promise<void> {
  const walked = maps.some(({ use }) => use?.countedBy === "walk");
  await print(
    colors.dim(
      walked
        ? "used: counted by walking the maps; Linux 6.6 and newer keep a count\n"
        : "used: counted by the kernel; slots by their services\n",
    ),
  );
}

/** Prints the exempt cgroups and network namespaces, if any. */
export async function printOptOut({ cgroups, networkNamespaces }: Status["optOut"]): Promise<void> {
  const parts = [
    ...cgroups.map((path) => `cgroup ${path ?? "(gone, or not visible from here)"}`),
    ...(networkNamespaces.length === 0
      ? []
      : [
          networkNamespaces.length === 1
            ? "1 network namespace"
            : `${count(networkNamespaces.length)} network namespaces`,
        ]),
  ];
  if (parts.length > 0) await print(`Left alone: ${parts.join(", ")}\n\n`);
}

/** Prints the services; with `limit`, only the first ones and the number of the rest. */
export async function printServices(services: readonly ServiceStatus[], limit = Infinity): Promise<void> {
  if (services.length === 0) return print("no services\n");
  const counted = services.some(({ counters }) => counters !== undefined);
  await printTable(
    [
      { header: "SERVICE" },
      { header: "ADDRESS" },
      { header: "PROTOCOL" },
      ...(counted
        ? ([
            { header: "TRANSLATED", align: "right" },
            { header: "NO BACKEND", align: "right" },
          ] as const)
        : []),
      { header: "BACKENDS" },
    ],
    services
      .slice(0, limit)
      .map((service) => [
        service.name ?? "",
        listText(service.frontEnds, ADDRESSES_SHOWN),
        service.protocol,
        ...(counted ? [count(service.counters?.translated ?? 0), count(service.counters?.noBackend ?? 0)] : []),
        choiceText(service),
      ]),
  );
  if (services.length > limit) await print(colors.dim(`and ${count(services.length - limit)} more\n`));
}

/** The candidate backends of a call, and how one is chosen. */
function choiceText({ backends, nodeLocal, localRedirect, algorithm, affinityTimeout }: ServiceStatus): string {
  return [
    backendsText(backends),
    ...(localRedirect ? ["redirected to this node's"] : nodeLocal ? ["this node's only"] : []),
    ...(algorithm === "maglev" ? ["chosen by the client's address"] : []),
    ...(affinityTimeout > 0 ? [`clients keep theirs for ${affinityTimeout} s`] : []),
  ].join("; ");
}

/** A service without a backend that takes connections refuses them. */
function backendsText(backends: readonly BackendStatus[]): string {
  const list = listText(backends.map(backendText), BACKENDS_SHOWN);
  if (backends.some(({ state }) => state === "active" || state === "terminating")) return list;
  const inService = backends.length > 0 ? " in service" : "";
  return `none${inService}: refuses connections${backends.length > 0 ? ` (${list})` : ""}`;
}

/** `20.0.0.1:80 (weight 3, terminating)`; default values are omitted. */
function backendText({ endpoint, weight, state }: BackendStatus): string {
  const remarks = [...(weight === 1 ? [] : [`weight ${weight}`]), ...(state === "active" ? [] : [state])];
  return remarks.length === 0 ? endpoint : `${endpoint} (${remarks.join(", ")})`;
}

/** Prints what something else has put among the pins, if there is any. */
export async function printForeignPins(paths: readonly string[]): Promise<void> {
  if (paths.length > 0) await print(`Not of the load balancer, and left: ${listText(paths)}\n`);
}
