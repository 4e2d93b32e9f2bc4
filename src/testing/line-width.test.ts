import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";

/** As in biome.json, which wraps code but neither comments nor strings. */
const WIDTH = 120;

test("no line of TypeScript is over 120 characters", () => {
  const top = fileURLToPath(new URL("../..", import.meta.url));
  const list = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "--deduplicate", "*.ts"], {
    cwd: top,
    encoding: "utf8",
  });
  const found: string[] = [];
  for (const path of list.trim().split("\n")) {
    if (!existsSync(top + path)) continue;
    for (const [i, line] of readFileSync(top + path, "utf8")
      .split("\n")
      .entries()) {
      if (line.length > WIDTH) found.push(`${path}:${i + 1} has ${line.length} characters`);
    }
  }
  assert.ok(found.length === 0, `${found.join("\n")}\nwrap comments, and split strings with +`);
});

test.run();
