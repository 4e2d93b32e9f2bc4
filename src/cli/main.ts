import { CommanderError, type Command } from "commander";
import { findCommand, rootCommand } from "./root.ts";

/**
 * Runs one command line.
 * @param argv the words after `tsbpf`
 * @returns the exit code: 0 success, 1 failure, 2 usage error
 */
export async function main(argv: readonly string[]): Promise<number> {
  const json = wantsJson(argv);
  const names = argv.filter((argument) => !argument.startsWith("-"));
  try {
    if (argv[0] === "help") {
      (await findCommand(names.slice(1))).outputHelp();
      return 0;
    }
    const root = await rootCommand((name) => name === names[0]);
    if (json) silence(root);
    await root.parseAsync(argv, { from: "user" });
    return typeof process.exitCode === "number" ? process.exitCode : 0;
  } catch (error) {
    if (error instanceof CommanderError && (error.exitCode === 0 || !json)) return error.exitCode === 0 ? 0 : 2;
    return (await import("./report.ts")).reportError(error, json);
  }
}

/** Whether errors are JSON. */
export function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return (end < 0 ? argv : argv.slice(0, end)).includes("--json");
}

/** Keeps the parser's text off standard error, where JSON is expected. */
function silence(root: Command): void {
  for (const command of [root, ...root.commands.flatMap((each) => [each, ...each.commands])])
    command.configureOutput({ writeErr: () => {} });
}
