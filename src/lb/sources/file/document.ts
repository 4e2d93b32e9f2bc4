/** A YAML document that remembers where each of its values stands. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from "yaml";

/** A place in the file, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Field names and list indices, from the outermost inwards. */
export type Path = readonly PropertyKey[];

export interface SourceDocument {
  /** What the text says, as plain JavaScript values; undefined where it is not YAML. */
  readonly value: unknown;
  /** What is wrong with it as YAML. */
  readonly errors: readonly { readonly position: Position; readonly message: string }[];
  /** Where the value at `path` stands; of one that is missing, the place of what it is missing from. */
  positionOf(path: Path): Position;
  /** Where the field's own name stands. */
  positionOfField(path: Path, field: string): Position;
}

/**
 * Reads one YAML 1.2 document. Never throws on bad text: see `errors`.
 *
 * JSON is YAML too, and what a program writes for tens of thousands of services;
 * it is read some hundred times faster as such, and as YAML only where a place
 * in it is asked for.
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
      // A YAML mapping in braces, or no good as YAML either.
    }
  }
  const { errors } = document();
  if (errors.length > 0)
    return { value: undefined, errors: errors.map(({ pos, message }) => ({ position: position(pos[0]), message })) };
  try {
    return { value: document().toJS(), errors: [] };
  } catch (error) {
    // An alias without its anchor, or aliases that multiply without bound.
    return {
      value: undefined,
      errors: [{ position: { line: 1, column: 1 }, message: error instanceof Error ? error.message : String(error) }],
    };
  }
}

function nodeAt(document: Document, path: Path): Node | undefined {
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
