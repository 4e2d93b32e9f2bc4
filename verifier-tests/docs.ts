/** `npm run docs:kernels`: writes docs/kernels.md from the recorded runs. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CommandError } from "../src/cli/errors.ts";
import { reportError } from "../src/cli/report.ts";
import { kernelsPage } from "./report/kernels-page.ts";
import { readSnapshots } from "./report/snapshot.ts";
import { features } from "./suite/features.ts";

try {
  const snapshots = readSnapshots();
  if (snapshots.length === 0)
    throw new CommandError("cannot write docs/kernels.md: no runs are recorded", {
      hint: "run `npm run test:vng -- --record` first",
    });
  const path = fileURLToPath(new URL("../docs/kernels.md", import.meta.url));
  writeFileSync(path, kernelsPage(snapshots, new Map(features.map(({ name, since }) => [name, since]))));
  process.stdout.write(`docs/kernels.md: ${snapshots.map(({ release }) => release).join(", ")}\n`);
} catch (error) {
  process.exitCode = reportError(error);
}
