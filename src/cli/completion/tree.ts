/** The command line as shells complete it. */
import type { Argument, Command, Option } from "commander";

/** The candidates for a value. */
export type Value = Readonly<{ kind: "words"; words: readonly string[] } | { kind: "file" | "directory" | "other" }>;

export interface CompletedOption {
  /** `-o`, `--output`. */
  readonly flags: readonly string[];
  readonly description: string;
  /** Undefined for a flag without a value. */
  readonly value: Value | undefined;
}

export interface CompletedCommand {
  /** `map dump`; empty for `tsbpf` itself. */
  readonly path: string;
  readonly name: string;
  readonly summary: string;
  readonly subcommands: readonly CompletedCommand[];
  readonly options: readonly CompletedOption[];
  /** The candidates for its first argument; undefined if it takes none. */
  readonly argument: Value | undefined;
}

/** A command and all below it. */
export function completionTree(command: Command, path: readonly string[] = []): CompletedCommand {
  const help = command.createHelp();
  const subcommands = help.visibleCommands(command).filter((each) => command.commands.includes(each));
  return {
    path: path.join(" "),
    name: command.name(),
    summary: firstLine(command.summary() || command.description()),
    subcommands: subcommands.map((each) => completionTree(each, [...path, each.name()])),
    options: help.visibleOptions(command).map((option) => ({
      flags: [option.short, option.long].filter((flag) => typeof flag === "string"),
      description: firstLine(option.description),
      value: option.required || option.optional ? valueOf(option, option.flags) : undefined,
    })),
    argument: command.registeredArguments.map((argument) => valueOf(argument, argument.name()))[0],
  };
}

/** Every command of a tree, from the top. */
export function allCommands(tree: CompletedCommand): CompletedCommand[] {
  return [tree, ...tree.subcommands.flatMap(allCommands)];
}

function valueOf({ argChoices }: Argument | Option, placeholder: string): Value {
  if (argChoices !== undefined) return { kind: "words", words: argChoices };
  if (/directory/.test(placeholder)) return { kind: "directory" };
  return { kind: /file|path/.test(placeholder) ? "file" : "other" };
}

const firstLine = (text: string): string => text.split("\n")[0]!;
