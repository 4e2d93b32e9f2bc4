/** Finds the imports of a TypeScript source text, without a compiler. */

export interface Import {
  /** The module as written: `"../asm/index.ts"`, `"node:fs"`. */
  readonly specifier: string;
  /** Line of the specifier, from 1. */
  readonly line: number;
}

/** `… from "x"`, `import "x"`, `import("x")`; all of one import's names are between the keyword and `from`. */
const IMPORT =
  /\b(?:import|export)\s+(?:type\s+)?[\w$*{},\s]*?\bfrom\s*(["'])|\bimport\s*(["'])|\bimport\s*\(\s*(["'])/g;

/**
 * Lists the modules that `text` imports or re-exports: values and types, static
 * and dynamic, in the order of the text. A dynamic import whose module is not a
 * plain string is left out, as are imports inside strings, comments, templates
 * and regular expressions.
 *
 * @example
 * ```ts
 * importsOf('import type { A } from "./a.ts";\n'); // [{ specifier: "./a.ts", line: 1 }]
 * ```
 */
export function importsOf(text: string): Import[] {
  const code = blankLiterals(text);
  const found: Import[] = [];
  let line = 1;
  let counted = 0;
  for (const match of code.matchAll(IMPORT)) {
    const start = match.index + match[0].length;
    const quote = (match[1] ?? match[2] ?? match[3])!;
    for (; counted < start; counted++) if (text[counted] === "\n") line++;
    found.push({ specifier: text.slice(start, code.indexOf(quote, start)), line });
  }
  return found;
}

/** A `/` after one of these begins a regular expression; after anything else it divides. */
const BEFORE_EXPRESSION = /(?:^|[(,=:[!&|?{};+\-*%~^<>]|\b(?:return|typeof|case|in|of|do|else|void|await|yield))\s*$/;

/** The start of a comment or a literal, or a brace. */
const TOKEN = /\/\/|\/\*|["'`/{}]/g;

/** The text with the insides of comments, strings, templates and regular expressions as spaces, at the same offsets. */
function blankLiterals(text: string): string {
  let code = "";
  /** For each template whose `${…}` surrounds this place: how many braces are open in it. */
  const open: number[] = [];
  const keepTo = (end: number): void => void (code += text.slice(code.length, end));
  const blankTo = (end: number): void => void (code += text.slice(code.length, end).replace(/[^\n]/g, " "));
  const template = (): void => {
    let i = code.length;
    while (i < text.length && text[i] !== "`" && !text.startsWith("${", i)) i += text[i] === "\\" ? 2 : 1;
    blankTo(i);
    if (text[i] === "`") return keepTo(i + 1);
    keepTo(i + 2);
    open.push(0);
  };
  for (;;) {
    TOKEN.lastIndex = code.length;
    const match = TOKEN.exec(text);
    if (match === null) return code + text.slice(code.length);
    const token = match[0];
    keepTo(match.index);
    if (token === "//") blankTo(endOf(text, "\n", code.length));
    else if (token === "/*") blankTo(endOf(text, "*/", code.length + 2) + 2);
    else if (token === "/" && !BEFORE_EXPRESSION.test(code.slice(-80))) keepTo(match.index + 1);
    else {
      keepTo(match.index + 1);
      if (token === "`") template();
      else if (token === "{" && open.length > 0) open[open.length - 1]!++;
      else if (token === "}" && open.length > 0 && open[open.length - 1]!-- === 0) {
        open.pop();
        template();
      } else if (token === "/" || token === '"' || token === "'") {
        let i = code.length;
        for (let inClass = false; i < text.length && (inClass || text[i] !== token); i++) {
          if (text[i] === "\\") i++;
          else if (token === "/") inClass = text[i] === "[" || (inClass && text[i] !== "]");
        }
        blankTo(i);
        keepTo(i + 1);
      }
    }
  }
}

function endOf(text: string, mark: string, from: number): number {
  const found = text.indexOf(mark, from);
  return found < 0 ? text.length : found;
}
