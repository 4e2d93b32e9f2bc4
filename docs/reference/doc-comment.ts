/** Doc comments: prose and tags. */

export interface DocComment {
  /** Everything before the first tag. */
  readonly text: string;
  readonly parameters: readonly { readonly name: string; readonly text: string }[];
  readonly returns: string | undefined;
  /** The error's class, where the tag names one, and when it is thrown. */
  readonly throws: readonly { readonly type: string | undefined; readonly text: string }[];
  /** Code of the `@example` tags. */
  readonly examples: readonly string[];
}

/** Parses a comment with its delimiters. */
export function parseDocComment(comment: string): DocComment {
  const lines = comment
    .replace(/^\/\*\*[ \t]*/, "")
    .replace(/\s*\*\/$/, "")
    .split("\n")
    .map((line) => line.replace(/^\s*\*? ?/, ""));
  const parts: { tag: string; lines: string[] }[] = [{ tag: "", lines: [] }];
  let inCode = false;
  for (const line of lines) {
    if (line.startsWith("```")) inCode = !inCode;
    const [, before = "", tag, rest = ""] =
      (!inCode && /^(.*?)(?<=^|\. )@(param|returns|throws|example)\b ?(.*)$/.exec(line)) || [];
    if (tag === undefined) parts.at(-1)!.lines.push(line);
    else {
      if (before !== "") parts.at(-1)!.lines.push(before);
      parts.push({ tag, lines: [rest] });
    }
  }
  const of = (tag: string) =>
    parts.filter((part) => part.tag === tag).map((part) => withLinks(part.lines.join("\n").trim()));
  return {
    text: of("")[0]!,
    parameters: of("param").map((text) => {
      const [, name = "", rest = ""] = /^(\S+)\s*([^]*)$/.exec(text) ?? [];
      return { name, text: rest };
    }),
    returns: of("returns")[0],
    throws: of("throws").map((text) => {
      const [, type, rest = ""] = /^(?:\{(\w+)\})?\s*([^]*)$/.exec(text) ?? [];
      return { type, text: rest };
    }),
    examples: of("example").flatMap((text) => codeOf(text)),
  };
}

const codeOf = (text: string): string[] => [...text.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, code]) => code!);

const withLinks = (text: string): string => text.replace(/\{@link (\w+)\}/g, "`$1`");

/** The comment without its examples, which a page shows elsewhere; empty where nothing else is in it. */
export function withoutExamples(comment: string, indent: string): string {
  const { text, parameters, returns, throws } = parseDocComment(comment);
  const lines = [
    ...text.split("\n"),
    ...parameters.map(({ name, text }) => `@param ${name} ${text}`),
    ...(returns === undefined ? [] : [`@returns ${returns}`]),
    ...throws.map(({ type, text }) => `@throws ${type === undefined ? "" : `{${type}} `}${text}`.trimEnd()),
  ]
    .flatMap((line) => line.split("\n"))
    .filter((line, i) => line !== "" || i > 0);
  if (lines.length === 0) return "";
  if (lines.length === 1) return `/** ${lines[0]} */\n${indent}`;
  return `/**\n${lines.map((line) => `${indent} *${line === "" ? "" : ` ${line}`}\n`).join("")}${indent} */\n${indent}`;
}
