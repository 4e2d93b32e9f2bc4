/** The tree of commands. */
import { Command } from "commander";
import { commands } from "./commands/index.ts";
import { UsageError } from "./errors.ts";
import { exampleText } from "./examples.ts";
import { packageVersion } from "./package-file.ts";

/**
 * The `tsbpf` command with its subcommands, each with its summary. Imports only the subcommands that `wanted`
 * accepts, so that short ones start quickly; the others have no options and arguments.
 */
export async function rootCommand(wanted: (name: string) => boolean): Promise<Command> {
  const root = new Command("tsbpf")
    .description("eBPF written in TypeScript: build, load and inspect programs, and run a socket-level load balancer")
    .version(packageVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print help for a command")
    .helpCommand("help [command...]", "print help for a command")
    .showHelpAfterError("(run with --help for usage)")
    .addHelpText("after", exampleText(["tsbpf help map dump", "npx tsbpf load --config services.yaml"]))
    .exitOverride();
  for (const [name, { summary, examples, load }] of Object.entries(commands)) {
    const imported = wanted(name);
    const command = imported ? (await load()).command(() => rootCommand(() => true)) : new Command(name);
    if (imported) command.addHelpText("after", exampleText(examples));
    root.addCommand(command.summary(summary));
  }
  inherit(root);
  return root;
}

/** @throws {UsageError} if there is no such command */
export async function findCommand(path: readonly string[]): Promise<Command> {
  let command = await rootCommand((name) => name === path[0]);
  for (const [depth, name] of path.entries()) {
    const found = command.commands.find((each) => each.name() === name);
    if (found === undefined) {
      const known = command.commands.map((each) => each.name());
      throw new UsageError(`there is no command ${["tsbpf", ...path.slice(0, depth + 1)].join(" ")}`, {
        hint: known.length === 0 ? `${command.name()} has no subcommands` : `there are ${known.join(", ")}`,
      });
    }
    command = found;
  }
  return command;
}

/** Gives subcommands of every depth the settings of their parent: a wrong call of any ends in the same way. */
function inherit(parent: Command): void {
  for (const command of parent.commands) {
    command.copyInheritedSettings(parent);
    inherit(command);
  }
}
