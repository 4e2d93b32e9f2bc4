import { allCommands, type CompletedCommand, type Value } from "./tree.ts";

/** A script that makes bash complete `tsbpf`. */
export function bashCompletion(tree: CompletedCommand): string {
  const commands = allCommands(tree);
  const paths = commands.filter(({ path }) => path !== "").map(({ path }) => `"${path}"`);
  const values = commands.flatMap(({ path, options }) =>
    options.flatMap(({ flags, value }) =>
      value === undefined
        ? []
        : [`    ${flags.map((flag) => `"${path} ${flag}"`).join("|")}) ${action(value)}; return ;;`],
    ),
  );
  const words = commands.map(({ path, subcommands, options, argument }) => {
    const names = [...subcommands.map(({ name }) => name), ...(path === "" ? ["help"] : [])];
    const choices = argument?.kind === "words" ? argument.words : [];
    const flags = options.flatMap((option) => option.flags);
    const files = argument !== undefined && argument.kind !== "words" ? ` ${action(argument)};` : "";
    return (
      `    "${path}") if [[ $current == -* ]]; then ${action({ kind: "words", words: flags })}; ` +
      `else ${action({ kind: "words", words: [...names, ...choices] })};${files} fi ;;`
    );
  });
  return `# bash completion for tsbpf: source <(tsbpf completion bash)
_tsbpf() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} path= next i IFS=$'\\n'
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ $i == 1 && \${COMP_WORDS[1]} == help ]] && continue
    next="\${path:+$path }\${COMP_WORDS[i]}"
    case $next in
      ${paths.join("|")}) path=$next ;;
    esac
  done
  case "$path $previous" in
${values.join("\n")}
  esac
  case $path in
${words.join("\n")}
  esac
}
complete -F _tsbpf tsbpf
`;
}

function action(value: Value): string {
  switch (value.kind) {
    case "words":
      return value.words.length === 0 ? ":" : `COMPREPLY+=($(compgen -W $'${value.words.join("\\n")}' -- "$current"))`;
    case "file":
      return 'compopt -o filenames 2>/dev/null; COMPREPLY+=($(compgen -f -- "$current"))';
    case "directory":
      return 'compopt -o filenames 2>/dev/null; COMPREPLY+=($(compgen -d -- "$current"))';
    case "other":
      return ":";
  }
}
