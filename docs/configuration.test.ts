/** The reference of the configuration file: its example is one, has every field, and is what the text says that it is. */
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
      ["ingress", 1],
      ["ingress", 2],
      ["console", 1],
      ["cache", 1],
      ["node-local-dns", 1],
    ],
  );
  assert.equal(maps, defaultMapSizes);
});

/** Options that are something else than any value of theirs unless they are given. */
const withoutDefault = ["noBackend"];

test("the example says every field, options and sizes as they are unless given", () => {
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

test("the tables tell of every field", () => {
  const told = new Set(Array.from(text.matchAll(/^\| `(\w+)`/gm), ([, field]) => field));
  for (const path of [["services", 0], ["services", 0, "backends", 0], ["optOut"], ["options"]]) {
    for (const field of knownFields(path)) assert.ok(told.has(field), `nothing is said of ${path[0]}: ${field}`);
  }
});

test.run();
