import { Command, Option } from "commander";
import type { Counter } from "../../../programs/index.ts";
import { counterNames, loadBalancerMetrics, type Metrics } from "../../lb/index.ts";
import { printUseNote, useCells, useColumns } from "../load-balancer-tables.ts";
import { jsonOption, pinOption } from "../options.ts";
import { count, print, printJson, printTable } from "../output.ts";
import { formatPrometheus, type PrometheusMetric } from "../prometheus.ts";

interface Options {
  readonly pin: string;
  readonly json?: true;
  readonly prometheus?: true;
}

/** The meaning of each counter: a column header and a sentence. */
const counters: Readonly<Record<Counter, { readonly header: string; readonly help: string }>> = {
  translated: { header: "TRANSLATED", help: "Connects and datagrams sent to a backend." },
  noBackend: { header: "NO BACKEND", help: "Connects and datagrams refused because the service had no backend." },
  leftAlone: {
    header: "LEFT ALONE",
    help: "Connects and datagrams left untranslated because their socket is exempt from balancing.",
  },
  tornValues: {
    header: "TORN",
    help: "Connects and datagrams refused because the service changed during every lookup.",
  },
  replies: { header: "REPLIES", help: "Replies and peer addresses translated to the service." },
  reverseMisses: {
    header: "REVERSE MISSES",
    help: "Replies left untranslated because their service was gone or replaced.",
  },
  notRemembered: {
    header: "NOT REMEMBERED",
    help: "Connects and datagrams refused because there was no room to remember how to translate the replies.",
  },
  olderFlowsDropped: {
    header: "FLOWS DROPPED",
    help: "Flows dropped because their UDP socket talks to more backends than it can name.",
  },
  reverseUpdateFailed: { header: "REVERSE FAILED", help: "Reverse NAT entries that could not be written." },
  reverseEvicted: {
    header: "REVERSE EVICTED",
    help: "Reverse NAT entries evicted from a full map before their socket closed.",
  },
  affinityUpdateFailed: { header: "AFFINITY FAILED", help: "Clients whose backend could not be remembered." },
  connectionUpdateFailed: {
    header: "CONNECTIONS FAILED",
    help: "Connections that could not be recorded, and so stay open when their backend is removed.",
  },
};

/** Counters that are always shown; others appear if they are above zero. */
const ALWAYS: ReadonlySet<Counter> = new Set<Counter>(["translated", "noBackend", "replies"]);

export function command(): Command {
  return new Command("metrics")
    .description(
      "Show the programs' counters, summed over all CPUs: per service since it was added, and the use of the maps. " +
        "The programs count only if the configuration has options.metrics.",
    )
    .addOption(new Option("--prometheus", "print Prometheus' text format").conflicts("json"))
    .addOption(pinOption())
    .addOption(jsonOption())
    .action(async ({ pin, json, prometheus }: Options) => {
      const metrics = loadBalancerMetrics(pin);
      if (json) await printJson(metrics);
      else if (prometheus) await print(formatPrometheus(prometheusMetrics(metrics)));
      else await report(metrics);
    });
}

async function report({ services, withoutService, maps }: Metrics): Promise<void> {
  const rows = [
    ...services.map(({ name, family, protocol, counters: totals }) => ({ cells: [name, family, protocol], totals })),
    { cells: ["(no service)", "", ""], totals: withoutService },
  ];
  const shown = counterNames.filter((name) => ALWAYS.has(name) || rows.some(({ totals }) => totals[name] > 0n));
  await printTable(
    [
      { header: "SERVICE" },
      { header: "FAMILY" },
      { header: "PROTOCOL" },
      ...shown.map((name) => ({ header: counters[name].header, align: "right" }) as const),
    ],
    rows
      .filter(({ totals }, i) => i < services.length || counterNames.some((name) => totals[name] > 0n))
      .map(({ cells, totals }) => [...cells, ...shown.map((name) => count(totals[name]))]),
  );
  await print("\n");
  const uses = maps.map(({ name, maxEntries, used, countedBy }) => ({ name, maxEntries, use: { used, countedBy } }));
  await printTable(
    [{ header: "MAP" }, ...useColumns],
    uses.map((map) => [map.name, ...useCells(map)]),
  );
  await printUseNote(uses);
}

/** A counter's name in Prometheus: `tsbpf_no_backend_total`. */
export function prometheusName(counter: Counter): string {
  return `tsbpf_${counter.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}_total`;
}

function prometheusMetrics({ services, withoutService, maps }: Metrics): PrometheusMetric[] {
  const ofServices = counterNames.map(
    (counter): PrometheusMetric => ({
      name: prometheusName(counter),
      type: "counter",
      help: counters[counter].help,
      samples: [
        ...services.map(({ name, family, protocol, counters: totals }) => ({
          labels: { service: name, family, protocol },
          value: totals[counter],
        })),
        // Counts that belong to no service.
        { labels: { service: "", family: "", protocol: "" }, value: withoutService[counter] },
      ],
    }),
  );
  return [
    ...ofServices,
    {
      name: "tsbpf_map_entries",
      type: "gauge",
      help: "Elements in a map.",
      samples: maps.map(({ name, used }) => ({ labels: { map: name }, value: used })),
    },
    {
      name: "tsbpf_map_max_entries",
      type: "gauge",
      help: "Capacity of a map in elements.",
      samples: maps.map(({ name, maxEntries }) => ({ labels: { map: name }, value: maxEntries })),
    },
  ];
}
