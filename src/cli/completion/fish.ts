import { allCommands, type CompletedCommand } from "./tree.ts";

/** A script that makes fish complete `tsbpf`. */
export function fishCompletion(tree: CompletedCommand): string {
  const commands = allCommands(tree);
  const paths = commands.map(({ path }) => path).filter((path) => path !== "");
  const lines = commands.flatMap(({ path, subcommands, options, argument }) => {
    const here = `complete -c tsbpf -n '__tsbpf_at ${quoted(path)}'`;
    const names = subcommands.map(({ name, summary }) => `${here} -a ${name} -d ${quoted(summary)}`);
    if (path === "") names.push(`${here} -a help -d ${quoted("print help for a command")}`);
    const values = options.map(({ flags, description, value }) => {
      const switches = flags.map((flag) => (flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
      return [here, ...switches, ...(value === undefined ? [] : [taken(value)]), "-d", quoted(description)].join(" ");
    });
    if (argument?.kind === "words") names.push(`${here} -a ${quoted(argument.words.join(" "))}`);
    if (argument?.kind === "file") names.push(`${here} -F`);
    return [...names, ...values];
  });
  return `# fish completion for tsbpf: tsbpf completion fish > ~/.config/fish/completions/tsbpf.fish
function __tsbpf_at
  set -l path
  for word in (commandline -opc)[2..]
    test "$path" = "" -a "$word" = help; and continue
    set -l next (string trim -- "$path $word")
    contains -- "$next" ${paths.map(quoted).join(" ")}; and set path $next
  end
  test "$path" = "$argv[1]"
end
complete -c tsbpf -f
${lines.join("\n")}
`;
}

function taken(value: NonNullable<CompletedCommand["argument"]>): string {
  switch (value.kind) {
    case "words":
      return `-x -a ${quoted(value.words.join(" "))}`;
    case "file":
      return "-r -F";
    case "directory":
      return "-x -a '(__fish_complete_directories)'";
    case "other":
      return "-x";
  }
}

/** Quoted for fish, where a backslash escapes within single quotes. */
function quoted(text: string): string {
  return `"${text.replace(/["\\$]/g, "\\$&")}"`;
}
