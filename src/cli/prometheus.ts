/** Metrics in Prometheus' text format (version 0.0.4, the predecessor of OpenMetrics). */

/** One metric with its samples. */
export interface PrometheusMetric {
  /** Letters, digits and underscores; the name of a counter ends in `_total`. */
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly samples: readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number | bigint }[];
}

/** The metrics as text; every line ends in a newline. */
export function formatPrometheus(metrics: readonly PrometheusMetric[]): string {
  return metrics
    .map(({ name, type, help, samples }) =>
      [
        `# HELP ${name} ${help.replace(/\\/g, "\\\\").replace(/\n/g, "\\n")}\n`,
        `# TYPE ${name} ${type}\n`,
        ...samples.map(({ labels, value }) => {
          const text = Object.entries(labels)
            .map(([label, content]) => `${label}="${escaped(content)}"`)
            .join(",");
          return `${name}${text === "" ? "" : `{${text}}`} ${value}\n`;
        }),
      ].join(""),
    )
    .join("");
}

const escaped = (text: string): string => text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
