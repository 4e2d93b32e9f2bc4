/** Runs all cases in a guest, as one bundled file, and reports each result to the host as a line. */
import { writeSync } from "node:fs";
import { release } from "node:os";
import { allCases } from "./cases/index.ts";
import { formatMessage, type GuestMessage } from "./kernels/console.ts";
import { runCases } from "./suite/runner.ts";
import { selectCases } from "./suite/select.ts";

// Written synchronously, so that a crash of the guest's kernel loses no results.
const tell = (message: GuestMessage): void => {
  writeSync(1, `${formatMessage(message)}\n`);
};

try {
  const cases = selectCases(allCases, process.argv[2]);
  tell({ type: "start", release: release(), cases: cases.length });
  const results = await runCases(cases, (result) => tell({ type: "result", result }));
  tell({ type: "end", results: results.length });
} catch (error) {
  tell({ type: "error", message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
}
