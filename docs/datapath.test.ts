/** Checks that the text of docs/datapath.md is the generator's. Its figures are those of a run. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { programNames, wholeOperations } from "../bench/datapath/cases.ts";
import type { Measurement } from "../bench/datapath/measure.ts";
import { netfilterKinds } from "../bench/datapath/netfilter.ts";
import { Side } from "../bench/datapath/place.ts";
import { markdownOf } from "../bench/datapath/tables.ts";

const test = suite("docs/datapath.md");
const page = readFileSync(new URL("datapath.md", import.meta.url), "utf8");

const measurement = (side: string, fields: Partial<Measurement>): Measurement => ({
  services: 1,
  processors: 1,
  side,
  operation: "tcp",
  target: "service",
  programs: Object.fromEntries(programNames.map((name) => [name, 1])),
  operationNs: 1,
  ...fields,
});

/** The distinct lines of a page, without tables, machines and notes. */
const textLines = (text: string): string[] => [
  ...new Set(
    text
      .split("\n")
      .filter((line) => !/^(\||- (Linux|Reverse NAT|IPVS:|nftables:|iptables:))/.test(line))
      .map((line) => line.replace(/^## Beside:.*/, "## Beside").replace(/\d+ (rounds|processors)/, "N $1")),
  ),
];

test("has the text that bench:datapath writes", () => {
  const sides = [...Object.values(Side), ...netfilterKinds.map(({ name }) => name)];
  const measurements = [1, 2].flatMap((processors) =>
    sides.flatMap((side) =>
      wholeOperations.flatMap(({ operation }) =>
        (["service", "foreign"] as const).map((target) => measurement(side, { processors, operation, target })),
      ),
    ),
  );
  const result = { machine: "Linux", rounds: 1, programs: programNames, measurements, leftovers: [], notes: [] };
  assert.equal(textLines(page), textLines(markdownOf(result, "datapath.svg", result)));
});

test.run();
