/** The text of docs/mistakes.md. */
import type { MistakeCase } from "./mistake-cases.ts";

/** The fate of a program. */
export interface Outcome {
  /** The type checker's messages, a line each. */
  readonly editor: readonly string[];
  /** The error of the build; `line` counts from 1 in the program's body. */
  readonly build: { readonly message: string; readonly line: number } | undefined;
}

const code = (body: string) => `\`\`\`ts\n${body}\n\`\`\``;

/** A sentence of the checker without the names of its types, which take half a page. */
const firstSentence = (line: string) => line.replace(/^TS(\d+): /, "TS$1: ").slice(0, 240);

export function mistakesPage(cases: readonly MistakeCase[], outcomes: readonly Outcome[]): string {
  const sections = cases.map(({ title, mistake, instead }, index) => {
    const { editor, build } = outcomes[index]!;
    const said = [
      ...editor.slice(0, 1).map((line) => `The editor says: ${firstSentence(line)}`),
      ...(build === undefined ? [] : [`The build says, with line ${build.line}: ${build.message}.`]),
    ];
    return `## To ${title}\n\n${code(mistake)}\n\n${said.join("\n\n")}\n\nWrite:\n\n${code(instead)}\n`;
  });
  return `# Mistakes, and what to write

A program is an ordinary TypeScript function that runs once, when it is built.
What a running program compares and computes are objects then. TypeScript's own
operators and statements would work on these objects, and the program would be
another one than its text suggests. Each mistake below is refused, by the type
checker or when the program is built, with its line. Each is the body of

\`\`\`ts
import { be16, cgroup, hash, PROCEED, REJECT, u32 } from "tsbpf";

const blocked = hash("blocked", { key: u32, value: u32, maxEntries: 8 });
export const program = cgroup.connect4("program", (b, ctx) => { … });
\`\`\`

This page is made by \`npm run docs:mistakes\` from the tests.

${sections.join("\n")}`;
}
