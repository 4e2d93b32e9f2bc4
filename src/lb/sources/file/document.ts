/** A YAML document with the position of each value. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from "yaml";
import type { FieldPath } from "../../model/index.ts";
import { repeatedKeys } from "./json-keys.ts";
import { MAX_DEPTH, tooDeepAt } from "./nesting.ts";

/** A position in the file. Both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface SourceDocument {
  /** The text as plain JavaScript values; undefined if it is not YAML. */
  readonly value: unknown;
  /** YAML syntax errors. */
  readonly errors: readonly { readonly position: Position; readonly message: string }[];
  /** The position of the value at `path`, or of its nearest enclosing value if it is missing. */
  positionOf(path: FieldPath): Position;
  /** The position of the field's name. */
  positionOfField(path: FieldPath, field: string): Position;
}

/**
 * Reads one YAML 1.2 document. Bad text does not throw: see `errors`.
 *
 * JSON is YAML too. Programs write it, for tens of thousands of services, so it
 * goes through `JSON.parse`, about a hundred times faster. The YAML parser runs
 * only when a position is needed.
 */
export function readDocument(text: string): SourceDocument {
  const lines = new LineCounter();
  let parsed: Document | undefined;
  // With another log level the parser writes its warnings to standard error: `read` returns them instead.
  const document = () =>
    (parsed ??= parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: "error" }));
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  return {
    ...read(text, document, position),
    positionOf: (path) => position(nodeAt(document(), path)?.range?.[0] ?? 0),
    positionOfField: (path, field) => position(keyAt(nodeAt(document(), path), field)?.range?.[0] ?? 0),
  };
}

function read(
  text: string,
  document: () => Document,
  position: (offset: number) => Position,
): Pick<SourceDocument, "value" | "errors"> {
  const failed = (errors: SourceDocument["errors"]) => ({ value: undefined, errors });
  const tooDeep = tooDeepAt(text);
  if (tooDeep !== undefined)
    return failed([{ position: plainPosition(text, tooDeep), message: `nested deeper than ${MAX_DEPTH} levels` }]);
  if (/^\s*\{/.test(text)) {
    try {
      const value: unknown = JSON.parse(text);
      const repeated = repeatedKeys(text);
      if (repeated.length === 0) return { value, errors: [] };
      return failed(
        repeated.map(({ key, offset }) => ({ position: plainPosition(text, offset), message: repeatedKey(key) })),
      );
    } catch {
      // A YAML mapping in braces, or invalid as YAML too.
    }
  }
  const { errors, warnings } = document();
  if (errors.length + warnings.length > 0)
    return failed(
      [...errors, ...warnings].map(({ code, pos, message }) => ({
        position: position(pos[0]),
        message: code === "DUPLICATE_KEY" ? repeatedKey(keyText(text.slice(pos[0]))) : message,
      })),
    );
  try {
    return { value: document().toJS(), errors: [] };
  } catch (error) {
    // An alias without an anchor, or aliases that expand without bound.
    const message = error instanceof Error ? error.message : String(error);
    return failed([{ position: { line: 1, column: 1 }, message }]);
  }
}

const repeatedKey = (key: string): string => `Map keys must be unique, but ${JSON.stringify(key)} is given again`;

/** The scalar at the beginning of a text, as it is written there. */
function keyText(text: string): string {
  const [, double, single, plain = ""] = /^(?:"([^"\n]*)"|'([^'\n]*)'|([^\s:,[\]{}]*))/.exec(text) ?? [];
  return double ?? single ?? plain;
}

/** A position without the YAML parser. */
function plainPosition(text: string, offset: number): Position {
  const before = text.slice(0, offset).split("\n");
  return { line: before.length, column: before.at(-1)!.length + 1 };
}

function nodeAt(document: Document, path: FieldPath): Node | undefined {
  const resolve = (node: Node | null | undefined) => (isAlias(node) ? node.resolve(document) : node) ?? undefined;
  let node = resolve(document.contents);
  for (const part of path) {
    const child = isSeq(node) ? node.items[Number(part)] : isMap(node) ? node.get(part, true) : undefined;
    if (child === undefined || child === null) return node;
    node = resolve(child as Node);
  }
  return node;
}

function keyAt(node: Node | undefined, field: string): Node | undefined {
  if (!isMap(node)) return node;
  return (
    (node.items.map((pair) => pair.key).find((key) => isScalar(key) && String(key.value) === field) as
      | Node
      | undefined) ?? node
  );
}
