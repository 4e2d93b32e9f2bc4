/**
 * Writes table.ts from linux/bpf.h: `npm run helpers`, or from another header,
 * `npm run helpers -- PATH`.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { helperNames } from "./index.ts";
import { readPrototypes } from "./prototypes.ts";

const header = process.argv[2] ?? "/usr/include/linux/bpf.h";
const facts = readPrototypes(readFileSync(header, "utf8"));
if (facts.size < helperNames.length) {
  process.stderr.write(
    `${header} documents ${facts.size} helpers and the table has ${helperNames.length}: ` +
      "give the path of a newer header\n",
  );
  process.exit(1);
}
const list = (values: readonly string[]) => `[${values.map((value) => JSON.stringify(value)).join(", ")}]`;
const rows = Array.from(
  facts,
  ([name, fact]) =>
    `  ${name}: { number: ${fact.number}, since: "${fact.since}", ` +
    `arguments: ${list(fact.arguments)}, returns: "${fact.returns}" },`,
);
const table = fileURLToPath(new URL("table.ts", import.meta.url));
writeFileSync(
  table,
  `// Written by generate.ts (npm run helpers) from the prototypes in linux/bpf.h.
import type { HelperFacts } from "./kinds.ts";

/** The helper functions of the kernel, in the order of their numbers (bpf-helpers(7)). */
export const helpers = {
${rows.join("\n")}
} as const satisfies Readonly<Record<string, HelperFacts>>;
`,
);
spawnSync("npx", ["biome", "format", "--write", table], { stdio: "inherit" });
