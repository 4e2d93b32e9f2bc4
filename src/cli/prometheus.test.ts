import { suite } from "uvu";
import * as assert from "uvu/assert";
import { formatPrometheus } from "./prometheus.ts";

const test = suite("Prometheus' text format");

test("help, type and samples; labels are escaped, 64-bit values are exact", () => {
  assert.is(
    formatPrometheus([
      {
        name: "calls_total",
        type: "counter",
        help: "Calls,\nof \\ all kinds.",
        samples: [
          { labels: { service: 'a "b"\\\nc', family: "ipv4" }, value: 2n ** 64n - 1n },
          { labels: { service: "d", family: "ipv6" }, value: 0n },
        ],
      },
      { name: "entries", type: "gauge", help: "Entries.", samples: [{ labels: {}, value: 3 }] },
    ]),
    [
      "# HELP calls_total Calls,\\nof \\\\ all kinds.",
      "# TYPE calls_total counter",
      'calls_total{service="a \\"b\\"\\\\\\nc",family="ipv4"} 18446744073709551615',
      'calls_total{service="d",family="ipv6"} 0',
      "# HELP entries Entries.",
      "# TYPE entries gauge",
      "entries 3",
      "",
    ].join("\n"),
  );
});

test.run();
