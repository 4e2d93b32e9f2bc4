/** A YAML document with the position of each value. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from "yaml";
import type { FieldPath } from "../../model/index.ts";

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
  const document = () => (parsed ??= parseDocument(text, { lineCounter: lines, prettyErrors: false }));
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
  if (/^\s*\{/.test(text)) {
    try {
      return { value: JSON.parse(text), errors: [] };
    } catch {
      // A YAML mapping in braces, or invalid as YAML too.
    }
  }
  const { errors } = document();
  if (errors.length > 0)
    return { value: undefined, errors: errors.map(({ pos, message }) => ({ position: position(pos[0]), message })) };
  try {
    return { value: document().toJS(), errors: [] };
  } catch (error) {
    // An alias without an anchor, or aliases that expand without bound.
    return {
      value: undefined,
      errors: [{ position: { line: 1, column: 1 }, message: error instanceof Error ? error.message : String(error) }],
    };
  }
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
