#!/usr/bin/env node
/**
 * The `tsbpf` command. Imports only the requested subcommand, so that short ones start quickly.
 *
 * Exit codes: 0 success, 1 failure, 2 usage error.
 */
import { Command, CommanderError } from "commander";
import { commands } from "./commands/index.ts";

async function main(argv: readonly string[]): Promise<number> {
  const program = new Command("tsbpf")
    .description("eBPF written in TypeScript: build, load and inspect programs, and run a socket-level load balancer")
    .showHelpAfterError("(run with --help for usage)")
    .exitOverride();
  const wanted = argv.find((argument) => !argument.startsWith("-"));
  for (const [name, { summary, load }] of Object.entries(commands)) {
    const command = name === wanted ? (await load()).command() : new Command(name);
    command.summary(summary).exitOverride().copyInheritedSettings(program);
    program.addCommand(command);
  }
  try {
    await program.parseAsync(argv, { from: "user" });
    return typeof process.exitCode === "number" ? process.exitCode : 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    return (await import("./report.ts")).reportError(error);
  }
}

process.exitCode = await main(process.argv.slice(2));
