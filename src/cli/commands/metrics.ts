import { Command, Option } from "commander";
import type { Counter } from "../../../programs/index.ts";
import { counterNames } from "../../lb/apply/counters.ts";
import { loadBalancerMetrics, type Metrics } from "../../lb/observe/metrics.ts";
import { printUseNote, useCells, useColumns } from "../load-balancer-tables.ts";
import { jsonOption, pinOption } from "../options.ts";
import { count, print, printJson, printTable } from "../output.ts";
import { formatPrometheus, type PrometheusMetric } from "../prometheus.ts";

interface Options {
  readonly pin: string;
  readonly json?: true;
  readonly prometheus?: true;
}

/** What each counter counts, as a sentence, and as the head of a column. */
const counters: Readonly<Record<Counter, { readonly header: string; readonly help: string }>> = {
  translated: { header: "TRANSLATED", help: "Connects and datagrams that were sent to a backend." },
  noBackend: { header: "NO BACKEND", help: "Connects and datagrams that were refused for want of a backend." },
  leftAlone: {
    header: "LEFT ALONE",
    help: "Connects and datagrams that were left alone, since their socket is not to be balanced.",
  },
  tornValues: {
    header: "TORN",
    help: "Connects and datagrams that were refused since the service changed each time that it was looked at.",
  },
  replies: { header: "REPLIES", help: "Replies and peers that were shown as the service." },
  reverseMisses: { header: "REVERSE MISSES", help: "Replies whose service was gone, or another." },
  reverseUpdateFailed: { header: "REVERSE FAILED", help: "Reverse entries that could not be written." },
  reverseEvicted: {
    header: "REVERSE EVICTED",
    help: "Reverse entries that were gone when their socket was closed: the map was full, and has evicted them.",
  },
  affinityUpdateFailed: { header: "AFFINITY FAILED", help: "Clients whose backend could not be kept." },
  connectionUpdateFailed: {
    header: "CONNECTIONS FAILED",
    help: "Connections that could not be noted, and will not be closed with their backend.",
  },
};

/** Shown in any case; the others where there is something to show. */
const ALWAYS: ReadonlySet<Counter> = new Set<Counter>(["translated", "noBackend", "replies"]);

export function command(): Command {
  return new Command("metrics")
    .description(
      "Show what the programs have counted, summed over all CPUs: for each service since it is there, and how full the maps are. " +
        "The programs count where the configuration has options.metrics.",
    )
    .addOption(new Option("--prometheus", "print it in Prometheus' text format").conflicts("json"))
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
        // What no service could be named for.
        { labels: { service: "", family: "", protocol: "" }, value: withoutService[counter] },
      ],
    }),
  );
  return [
    ...ofServices,
    {
      name: "tsbpf_map_entries",
      type: "gauge",
      help: "Elements that a map holds.",
      samples: maps.map(({ name, used }) => ({ labels: { map: name }, value: used })),
    },
    {
      name: "tsbpf_map_max_entries",
      type: "gauge",
      help: "Elements that it has room for.",
      samples: maps.map(({ name, maxEntries }) => ({ labels: { map: name }, value: maxEntries })),
    },
  ];
}
