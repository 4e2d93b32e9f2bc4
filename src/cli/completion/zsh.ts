import { allCommands, type CompletedCommand, type Value } from "./tree.ts";

/** A script that makes zsh complete `tsbpf`, for a file `_tsbpf` in a folder of `fpath`. */
export function zshCompletion(tree: CompletedCommand): string {
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
    const names = subcommands.map(({ name, summary }) => described(name, summary));
    if (path === "") names.push(described("help", "print help for a command"));
    const flags = options.flatMap((option) => option.flags.map((flag) => described(flag, option.description)));
    const others = [
      names.length > 0 ? `found=(${names.join(" ")}); _describe command found` : "",
      argument && action(argument),
    ];
    return (
      `    "${path}") if [[ $current == -* ]]; then found=(${flags.join(" ")}); _describe option found; ` +
      `else ${others.filter(Boolean).join("; ") || ":"}; fi ;;`
    );
  });
  return `#compdef tsbpf
# zsh completion for tsbpf: tsbpf completion zsh > ~/.zfunc/_tsbpf, a folder of fpath
_tsbpf() {
  local current=\${words[CURRENT]} previous=\${words[CURRENT-1]} path_= next i
  local -a found
  for ((i = 2; i < CURRENT; i++)); do
    [[ $i == 2 && \${words[2]} == help ]] && continue
    next="\${path_:+$path_ }\${words[i]}"
    case $next in
      ${paths.join("|")}) path_=$next ;;
    esac
  done
  case "$path_ $previous" in
${values.join("\n")}
  esac
  case $path_ in
${words.join("\n")}
  esac
}
if [[ $funcstack[1] == _tsbpf ]]; then _tsbpf "$@"; else compdef _tsbpf tsbpf; fi
`;
}

/** `name:description` for _describe, quoted for the shell. */
function described(name: string, description: string): string {
  return `'${`${name}:${description}`.replaceAll("'", "'\\''")}'`;
}

function action(value: Value): string {
  switch (value.kind) {
    case "words":
      return `compadd -- ${value.words.join(" ")}`;
    case "file":
      return "_files";
    case "directory":
      return "_files -/";
    case "other":
      return ":";
  }
}
