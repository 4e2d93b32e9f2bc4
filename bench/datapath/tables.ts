/** The result as tables, for terminals and in Markdown. */
import {
  aboveFloor,
  casesOf,
  countsOf,
  gross,
  net,
  rowsOf,
  sidesOf,
  verdicts,
  wholeOperation,
  wholeOperations,
} from "./cases.ts";
import type { Result } from "./result.ts";
import { Side } from "./place.ts";

export interface Table {
  readonly title: string;
  /** Explains the cells. */
  readonly caption: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** The number of text columns; the others are right-aligned numbers. */
  readonly textColumns: number;
}

export function tablesOf(result: Result): Table[] {
  const processors = [...new Set(result.measurements.map((m) => m.processors))];
  return [
    ...processors.map((count) => programTable(result, count)),
    ...processors.flatMap((count) => operationTables(result, count)),
    goalTable(result),
  ];
}

function programTable({ measurements, programs }: Result, processors: number): Table {
  const counts = countsOf(measurements);
  const rows = casesOf(programs).map(
    (one) => [one, rowsOf(one, measurements).filter((row) => row.processors === processors)] as const,
  );
  return {
    title:
      "Nanoseconds per run, " +
      (processors === 1 ? "one client on one processor" : `${processors} clients on a processor each`),
    caption:
      "A cell has floor / C / tsbpf, for a number of services. On a service, tsbpf as a fraction of C follows, gross " +
      "and (net of the floor); without a service, the nanoseconds above the floor, of C and of tsbpf.",
    header: ["program", "operation", ...counts.map((count) => count.toLocaleString("en-GB"))],
    rows: rows.map(([{ program, what, target }, cells]) => [
      program,
      what,
      ...cells.map((row) => {
        const ns = [row.floor, row.peer, row.ours].map((value) => value.toFixed(0)).join(" / ");
        return target === "service"
          ? `${ns}  ${gross(row).toFixed(2)} (${net(row).toFixed(2)})`
          : `${ns}  ${signed(row.peer - row.floor)} ${signed(aboveFloor(row))}`;
      }),
    ]),
    textColumns: 2,
  };
}

function operationTables({ measurements }: Result, processors: number): Table[] {
  const sides = sidesOf(measurements);
  const measured = new Set(
    measurements.filter((measurement) => measurement.processors === processors).map(({ operation }) => operation),
  );
  return wholeOperations
    .filter(({ operation }) => measured.has(operation))
    .map(({ operation, what }) => ({
      title: processors === 1 ? what : `${what}; ${processors} processors`,
      caption:
        `Operations per second of ${processors === 1 ? "one processor" : `${processors} processors together`}, ` +
        "including the backend's part, and (nanoseconds each).",
      header: ["services", ...sides],
      rows: countsOf(measurements).map((count) => [
        count.toLocaleString("en-GB"),
        ...sides.map((side) => {
          const ns = wholeOperation(measurements, side, operation, count, processors);
          return ns === undefined
            ? ""
            : `${Math.round((processors * 1e9) / ns).toLocaleString("en-GB")} (${ns.toFixed(0)})`;
        }),
      ]),
      textColumns: 0,
    }))
    .map((table) => withoutEmptyColumns(table));
}

function withoutEmptyColumns(table: Table): Table {
  const kept = table.header.map((_, column) => table.rows.some((row) => row[column] !== ""));
  const select = (cells: readonly string[]) => cells.filter((_, column) => kept[column]);
  return { ...table, header: select(table.header), rows: table.rows.map(select) };
}

function goalTable(result: Result): Table {
  const counts = countsOf(result.measurements);
  return {
    title: "Goals and results",
    caption: "Each cell is the worse of one client and two. A goal is met if every number of services meets it.",
    header: ["operation", "goal", ...counts.map((count) => count.toLocaleString("en-GB")), ""],
    rows: verdicts(result).map(({ subject, goal, reached, met }) => [
      subject,
      goal,
      ...counts.map((count) => reached.get(count) ?? ""),
      met ? "met" : "MISSED",
    ]),
    textColumns: 2,
  };
}

/** Remarks beside the tables. */
export function remarksOf({ notes, leftovers, machine, rounds }: Result): string[] {
  return [
    `${machine}. Medians of ${rounds} rounds, with the sides taking turns.`,
    ...leftovers.map(
      ({ side, entries }) =>
        `Reverse NAT entries after all sockets were closed, ${side}: ${entries.toLocaleString("en-GB")}.`,
    ),
    ...notes,
  ];
}

export function textOf({ title, caption, header, rows, textColumns }: Table): string {
  const widths = header.map((text, i) => Math.max(text.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (i < textColumns ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join("  ")
      .trimEnd();
  return `${title}\n${caption}\n\n${[header, ...rows].map(line).join("\n")}\n`;
}

const markdownTable = ({ title, caption, header, rows, textColumns }: Table): string =>
  [
    `## ${title}`,
    "",
    caption,
    "",
    `| ${header.join(" | ")} |`,
    `|${header.map((_, i) => (i < textColumns ? " --- |" : " ---: |")).join("")}`,
    ...rows.map((row) => `| ${row.join(" | ")} |`),
    "",
  ].join("\n");

/** The sections of another run, on another kernel: whole operations and their comparison. */
function sectionsBeside(result: Result): string[] {
  return [
    `## Beside: ${result.machine}`,
    "",
    `Another run of ${result.rounds} rounds. Under emulation only the comparison of the sides counts.`,
    "",
    ...[...operationTables(result, 1), goalTable({ ...result, programs: [] })].map((table) =>
      markdownTable(table).replace(/^## /, "### "),
    ),
  ];
}

/**
 * The text of docs/datapath.md.
 * @param beside another run, on a kernel with features that this one lacks
 */
export function markdownOf(result: Result, plot: string, beside?: Result): string {
  return `${[
    "# The data path, measured",
    "",
    `Written by \`npm run bench:datapath -- --write\`, ` +
      `${beside === undefined ? "from one run" : "from one run except for the last section"}; do not edit.`,
    "",
    `![Nanoseconds per run, and operations per second](${plot})`,
    "",
    "One run measures these sides in turn, on services with ten backends each:",
    "",
    "- **tsbpf**: the programs of `programs/` with default options. " +
      `*${Side.STREAMS}* returns the service from getpeername(2) of a TCP socket too, as the C programs do. ` +
      `*${Side.ALONE}* has only those flows in the reverse map that their UDP socket no longer stores.`,
    "- **C**: the same job with the maps of the field's leading balancer, by `clang-19 -O2 -mcpu=v3` " +
      "(`bench/datapath/c/balancer.c`): hashes for services, slots and backends, an LRU hash for every flow, an " +
      "unconditional deletion when a socket closes. It does less than the real one, which also traces and " +
      "checks NodePorts.",
    "- **return 1**: a program that does nothing, on the same hooks: the floor, mainly the kernel's time measurement.",
    "- **nftables**, **iptables**, **IPVS**: destination NAT in a network namespace, with rules in kube-proxy's form.",
    "",
    "How it is measured:",
    "",
    "- *Again*: one socket and one service, repeatedly. *New*: a new socket and another service each time, so that " +
      "with many services the map entries are not in the processor's cache; likewise for addresses without a service.",
    "- Nanoseconds per run are the kernel's (`BPF_ENABLE_STATS`). Whole operations are measured without these " +
      "statistics, in processor time, with client and backend in one thread.",
    ...remarksOf(result).map((remark) => `- ${remark}`),
    "",
    ...tablesOf(result).map(markdownTable),
    ...(beside === undefined ? [] : sectionsBeside(beside)),
  ]
    .join("\n")
    .trimEnd()}\n`;
}

const signed = (ns: number): string => `${ns < 0 ? "−" : "+"}${Math.abs(ns).toFixed(0)}`;
