/** Checks the reference of the configuration file: its example loads, has every field, and shows the defaults. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parse } from "yaml";
import { defaultMapSizes, expandServices, knownFields, parseConfig } from "../src/lb/index.ts";

const test = suite("docs/configuration.md");

const text = readFileSync(new URL("configuration.md", import.meta.url), "utf8");
const [, example = ""] = /```yaml\n([^]*?)```/.exec(text) ?? [];

test("the example can be loaded", () => {
  const { maps, ...config } = parseConfig(example, "example");
  assert.equal(
    expandServices(config, ["127.0.0.1", "::1"]).map(({ name, frontEnds }) => [name, frontEnds.length]),
    [
      ["web", 1],
      ["dns", 1],
      ["web6", 1],
      ["ingress", 2],
      ["ingress", 3],
      ["console", 2],
      ["cache", 1],
      ["node-local-dns", 1],
    ],
  );
  assert.equal(maps, defaultMapSizes);
});

/** Options whose default is none of their values. */
const withoutDefault = ["noBackend"];

test("the example has every field, and options and sizes have their defaults", () => {
  const { services, ...rest } = parse(example) as {
    services: { backends: unknown[]; affinity?: object }[];
    optOut: object;
    options: object;
    maps: object;
  };
  const fields = (...objects: readonly unknown[]) =>
    [
      ...new Set(
        objects.flatMap((object) => (typeof object === "object" && object !== null ? Object.keys(object) : [])),
      ),
    ].sort();
  const known = (...path: readonly (string | number)[]) => [...knownFields(path)].sort();
  assert.equal(fields({ services, ...rest }), known());
  assert.equal(fields(...services), known("services", 0));
  assert.equal(fields(...services.flatMap(({ backends }) => backends)), known("services", 0, "backends", 0));
  assert.equal(fields(...services.map(({ affinity }) => affinity)), known("services", 0, "affinity"));
  assert.equal(fields(rest.optOut), known("optOut"));
  assert.equal(fields(rest.options), known("options"));
  assert.equal(fields(rest.maps), known("maps"));
  const options = Object.entries(parseConfig(example, "example").options).filter(
    ([name]) => !withoutDefault.includes(name),
  );
  assert.equal(Object.fromEntries(options), parseConfig("services: []", "defaults").options);
});

test("the tables document every field", () => {
  const documented = new Set(Array.from(text.matchAll(/^\| `(\w+)`/gm), ([, field]) => field));
  for (const path of [["services", 0], ["services", 0, "backends", 0], ["optOut"], ["options"]]) {
    for (const field of knownFields(path)) assert.ok(documented.has(field), `no row for ${path[0]}: ${field}`);
  }
});

test.run();
