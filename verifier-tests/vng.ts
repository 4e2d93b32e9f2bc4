/**
 * `npm run test:vng`: the suite on the distribution's kernels, booted under virtme-ng.
 * Exit codes: 0 all as expected, 1 not, 2 usage error.
 */
import { cpus } from "node:os";
import { Command, InvalidArgumentError } from "commander";
import { reportError } from "../src/cli/report.ts";
import { allCases } from "./cases/index.ts";
import { readCatalogue } from "./kernels/cache.ts";
import { chooseKernels } from "./kernels/catalogue.ts";
import { runMatrix } from "./kernels/matrix-run.ts";
import { installTools } from "./kernels/setup.ts";
import { addOutputOptions, reportResults, type OutputOptions } from "./output.ts";
import { selectCases } from "./suite/select.ts";

interface Options extends OutputOptions {
  readonly kernel: string;
  readonly jobs: number;
  readonly timeout: number;
  readonly list?: boolean;
  readonly refresh?: boolean;
}

const command = addOutputOptions(
  new Command("test:vng")
    .description("Runs the verifier tests on real kernels, booted under virtme-ng.")
    .option(
      "--kernel <list>",
      "kernels, separated by commas: a version such as 6.12, oldest, newest, all, or the path of a kernel image",
      "5.10,6.1,6.12,newest",
    )
    .option("--jobs <number>", "kernels to run at the same time", positive, Math.max(1, cpus().length))
    .option("--timeout <seconds>", "limit per kernel, including its boot", positive, 720)
    .option("--refresh", "read the package lists even if the cached list is fresh")
    .option("--list", "list the available kernels and the cases, without running them")
    .action(async (options: Options) => {
      process.exitCode = await main(options);
    }),
);

async function main(options: Options): Promise<0 | 1> {
  const progress = (kernel: string, event: string) =>
    process.stderr.write(`${new Date().toISOString().slice(11, 19)}  ${kernel}: ${event}\n`);
  const cases = selectCases(allCases, options.filter);
  const onlyImages = options.kernel.split(",").every((part) => part.includes("/"));
  const available = onlyImages ? [] : await readCatalogue({ refresh: options.refresh ?? false });
  if (options.list) {
    const listed = { kernels: available.map(({ release }) => release), cases: cases.map(({ name }) => name) };
    process.stdout.write(
      options.json
        ? `${JSON.stringify(listed, null, 2)}\n`
        : `Kernels:\n  ${listed.kernels.join("\n  ")}\n\nCases:\n  ${listed.cases.join("\n  ")}\n`,
    );
    return 0;
  }
  const choices = chooseKernels(options.kernel, available);
  await installTools((step) => progress("this machine", step));
  const results = await runMatrix(choices, {
    jobs: options.jobs,
    timeoutSeconds: options.timeout,
    filter: options.filter,
    progress,
  });
  return reportResults(results, options);
}

function positive(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError("expected a whole number above 0");
  return number;
}

// Exits normally on signals, so that guests end and module links are removed.
for (const [signal, number] of [
  ["SIGINT", 2],
  ["SIGTERM", 15],
] as const)
  process.on(signal, () => process.exit(128 + number));

try {
  await command
    .exitOverride((error) => {
      process.exit(error.exitCode === 0 ? 0 : 2);
    })
    .parseAsync();
} catch (error) {
  process.exitCode = reportError(error);
}
