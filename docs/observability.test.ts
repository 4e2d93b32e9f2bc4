import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { counterNames } from "../src/lb/index.ts";
import { prometheusName } from "../src/cli/commands/metrics.ts";

const test = suite("docs/observability.md");
const text = readFileSync(new URL("observability.md", import.meta.url), "utf8");

test("lists exactly the counters, with their names in JSON and in Prometheus", () => {
  const rows = [...text.matchAll(/^\| `(\w+)` \| `(tsbpf_\w+)` \|/gm)].map(([, name, metric]) => [name, metric]);
  assert.equal(
    rows,
    counterNames.map((name) => [name, prometheusName(name)]),
  );
});

test.run();
