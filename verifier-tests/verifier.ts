/**
 * `npm run test:verifier`: the suite on the running kernel.
 * Exit codes: 0 all as expected, 1 not, 2 usage error.
 */
import { release } from "node:os";
import { Command } from "commander";
import { CommandError } from "../src/cli/errors.ts";
import { reportError } from "../src/cli/report.ts";
import { allCases } from "./cases/index.ts";
import { addOutputOptions, reportResults, type OutputOptions } from "./output.ts";
import { runCases } from "./suite/runner.ts";
import { selectCases } from "./suite/select.ts";

interface Options extends OutputOptions {
  readonly list?: boolean;
}

const command = addOutputOptions(
  new Command("test:verifier")
    .description("Runs the verifier tests on the running kernel, as root.")
    .option("--list", "list the cases without running them")
    .action(async (options: Options) => {
      process.exitCode = await main(options);
    }),
);

async function main(options: Options): Promise<0 | 1> {
  const cases = selectCases(allCases, options.filter);
  if (options.list) {
    process.stdout.write(`${cases.map(({ name }) => name).join("\n")}\n`);
    return 0;
  }
  if (process.platform !== "linux" || process.getuid?.() !== 0) {
    throw new CommandError("cannot run the verifier tests: they load programs, which needs root on Linux", {
      hint: "run as root, or run `npm run test:vng`, which boots its own kernels",
    });
  }
  const started = Date.now();
  const results = await runCases(cases, () => {});
  return reportResults([{ release: release(), results, seconds: (Date.now() - started) / 1000 }], options);
}

try {
  await command
    .exitOverride((error) => {
      process.exit(error.exitCode === 0 ? 0 : 2);
    })
    .parseAsync();
} catch (error) {
  process.exitCode = reportError(error);
}
