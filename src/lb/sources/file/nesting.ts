import { Lexer } from "yaml";

/** The deepest nesting of lists and mappings that is read. A configuration needs five. */
export const MAX_DEPTH = 64;
/** The deepest indentation that is read, in columns. Each level of a block takes one or two. */
const MAX_INDENTATION = 2 * MAX_DEPTH;

/**
 * Where a text nests deeper than the YAML parser, which calls itself for each level, can follow.
 * @returns a position in UTF-16 code units; undefined if there is none
 */
export function tooDeepAt(text: string): number | undefined {
  if (!mayBeDeep(text)) return undefined;
  let depth = 0;
  let offset = 0;
  let column = 0;
  let leading = true;
  for (const token of new Lexer().lex(text)) {
    // Marks of the lexer: the start of a document, the end of its directives, an error, a scalar.
    if (/^[\u0002\u0018\u001f\ufeff]$/.test(token)) continue;
    if (token === "[" || token === "{") depth++;
    else if (token === "]" || token === "}") depth--;
    if (depth > MAX_DEPTH || (leading && column > MAX_INDENTATION && /^[^\s#]/.test(token))) return offset;
    offset += token.length;
    const lastLine = token.lastIndexOf("\n");
    column = lastLine < 0 ? column + token.length : token.length - lastLine - 1;
    leading = lastLine >= 0 || (leading && /^[ ?:-]+$/.test(token));
  }
  return undefined;
}

/** Whether the text has enough brackets, or wide enough lines, to be looked at. */
function mayBeDeep(text: string): boolean {
  let depth = 0;
  let deepest = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x5b || code === 0x7b) deepest = Math.max(deepest, ++depth);
    else if ((code === 0x5d || code === 0x7d) && depth > 0) depth--;
  }
  return deepest > MAX_DEPTH || new RegExp(`^[ ?:-]{${MAX_INDENTATION}}`, "m").test(text);
}
