import { Argument, Command } from "commander";
import { bashCompletion } from "../completion/bash.ts";
import { fishCompletion } from "../completion/fish.ts";
import { completionTree, type CompletedCommand } from "../completion/tree.ts";
import { zshCompletion } from "../completion/zsh.ts";
import { print } from "../output.ts";

const shells = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const satisfies Record<
  string,
  (tree: CompletedCommand) => string
>;

export function command(root: () => Promise<Command>): Command {
  return new Command("completion")
    .description(
      "Print a script that makes a shell complete commands, options and their values. Source it, or save it where " +
        "the shell looks for completions.",
    )
    .addArgument(new Argument("<shell>", "the shell").choices(Object.keys(shells)))
    .action(async (shell: keyof typeof shells) => print(shells[shell](completionTree(await root()))));
}
