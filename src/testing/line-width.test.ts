import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";

/** As in biome.json, which wraps code but neither comments nor strings. */
const WIDTH = 120;

/** Lines over the width that are known, by folder. None of these numbers may grow. */
const known: Readonly<Record<string, number>> = {
  docs: 8,
  programs: 42,
  "src/cli": 11,
  "src/dsl": 26,
  "src/lb": 60,
};

test("no line of TypeScript is over 120 characters", () => {
  const top = fileURLToPath(new URL("../..", import.meta.url));
  const list = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "--deduplicate", "*.ts"], {
    cwd: top,
    encoding: "utf8",
  });
  const found = new Map<string, string[]>();
  for (const path of list.trim().split("\n")) {
    if (!existsSync(top + path)) continue;
    const folder = path.split("/", path.startsWith("src/") ? 2 : 1).join("/");
    for (const [i, line] of readFileSync(top + path, "utf8")
      .split("\n")
      .entries()) {
      if (line.length > WIDTH)
        found.set(folder, [...(found.get(folder) ?? []), `${path}:${i + 1} has ${line.length} characters`]);
    }
  }
  const grown = [...found]
    .filter(([folder, lines]) => lines.length > (known[folder] ?? 0))
    .flatMap(([, lines]) => lines);
  assert.ok(grown.length === 0, `${grown.join("\n")}\nwrap comments, and split strings with +`);
});

test.run();
