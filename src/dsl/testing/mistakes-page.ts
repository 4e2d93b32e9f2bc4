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

/** What the checker says, on one line, without the half page that names of types may take. */
const inShort = (said: string) => said.replace(/\s*\n\s*/g, " ").slice(0, 320);

export function mistakesPage(cases: readonly MistakeCase[], outcomes: readonly Outcome[]): string {
  const sections = cases.map(({ title, mistake, instead }, index) => {
    const { editor, build } = outcomes[index]!;
    const said = [
      ...editor.slice(0, 1).map((line) => `The editor says: ${inShort(line)}`),
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
import { … } from "tsbpf";

const blocked = hash("blocked", { key: u32, value: u32, maxEntries: 8 });
const always: boolean = …;
export const program = cgroup.connect4("program", (b, ctx) => { … });
\`\`\`

This page is made by \`npm run docs:mistakes\` from the tests.

${sections.join("\n")}`;
}
