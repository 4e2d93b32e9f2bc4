/** A program's own source text as a syntax tree, in which a call is found by its place. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { tsPlugin } from "@sveltejs/acorn-typescript";
import type { Node as AcornNode, Parser, Position } from "acorn";

/** A node of the tree: ESTree's, and TypeScript's beside them. */
export interface SyntaxNode extends AcornNode {
  readonly [property: string]: unknown;
}

/** A parsed file. */
export interface SyntaxTree {
  readonly root: SyntaxNode;
  /** Where the text was read; undefined for text alone. */
  readonly file: string | undefined;
  /** The node around a node; undefined for the whole file. */
  parent(node: SyntaxNode): SyntaxNode | undefined;
  /**
   * The expression whose value a stack frame at this place computes: a call, or
   * the reading of a property. Lines and columns count from 1, as V8 counts them.
   */
  expressionAt(line: number, column: number): SyntaxNode | undefined;
  /** Every identifier of this name that is read or written as a variable, below a node. */
  references(name: string, scope: SyntaxNode): readonly SyntaxNode[];
  /** The number of return statements of a function, without those of inner functions. */
  returns(fn: SyntaxNode): number;
}

const trees = new Map<string, SyntaxTree | undefined>();

/**
 * The syntax tree of a file; undefined where the text is not at hand or no
 * parser is (in a bundle, say). Files are read once a process.
 */
export function syntaxTreeOf(file: string): SyntaxTree | undefined {
  if (!trees.has(file)) trees.set(file, read(file));
  return trees.get(file);
}

function read(file: string): SyntaxTree | undefined {
  try {
    return parseSyntax(readFileSync(file, "utf8"), file);
  } catch {
    return undefined;
  }
}

/** @throws {SyntaxError} where the text is neither TypeScript nor JavaScript */
export function parseSyntax(text: string, file?: string): SyntaxTree {
  const options = { ecmaVersion: "latest", sourceType: "module", locations: true } as const;
  return new Tree(parser().parse(text, options) as unknown as SyntaxNode, file);
}

let loaded: typeof Parser | undefined;

/** The parser is loaded when a program is built: commands that build none start without it. */
function parser(): typeof Parser {
  if (loaded === undefined) {
    const require = createRequire(import.meta.url);
    const acorn = require("acorn") as { Parser: typeof Parser };
    const typescript = require("@sveltejs/acorn-typescript") as { tsPlugin: typeof tsPlugin };
    loaded = acorn.Parser.extend(typescript.tsPlugin());
  }
  return loaded;
}

class Tree implements SyntaxTree {
  readonly #parents = new Map<SyntaxNode, SyntaxNode>();
  readonly #expressions = new Map<string, SyntaxNode>();
  readonly #identifiers = new Map<string, SyntaxNode[]>();
  readonly #returns = new Map<SyntaxNode, number>();

  readonly root: SyntaxNode;
  readonly file: string | undefined;

  constructor(root: SyntaxNode, file: string | undefined) {
    this.root = root;
    this.file = file;
    this.#visit(root);
  }

  parent(node: SyntaxNode): SyntaxNode | undefined {
    return this.#parents.get(node);
  }

  expressionAt(line: number, column: number): SyntaxNode | undefined {
    return this.#expressions.get(`${line}:${column}`);
  }

  references(name: string, scope: SyntaxNode): readonly SyntaxNode[] {
    return (this.#identifiers.get(name) ?? []).filter(({ start, end }) => start >= scope.start && end <= scope.end);
  }

  returns(fn: SyntaxNode): number {
    return this.#returns.get(fn) ?? 0;
  }

  #visit(node: SyntaxNode): void {
    this.#note(node);
    for (const child of childrenOf(node)) {
      this.#parents.set(child, node);
      this.#visit(child);
    }
  }

  #note(node: SyntaxNode): void {
    switch (node.type) {
      case "CallExpression": {
        // A method's call stands at the method's name; its property is visited later and does not replace it.
        const callee = node["callee"] as SyntaxNode;
        this.#place(
          (callee.type === "MemberExpression" ? (callee["property"] as SyntaxNode) : callee).loc!.start,
          node,
        );
        break;
      }
      case "MemberExpression": {
        const property = node["property"] as SyntaxNode;
        const object = withoutTypes(node["object"] as SyntaxNode);
        if (followsCall(node)) {
          // After a call, V8 gives the dot's place. A source map gives the last one before that it has an entry for.
          this.#place(object.loc!.end, node);
          if (object.type === "CallExpression") this.#place(object.loc!.end, node, -1);
          else this.#place((object["property"] as SyntaxNode).loc!.start, node);
        }
        this.#place(property.loc!.start, node);
        break;
      }
      case "Property":
        // `const { sk } = ctx` reads a property too.
        this.#place((node["key"] as SyntaxNode).loc!.start, node);
        break;
      case "ReturnStatement": {
        let owner = this.parent(node);
        while (owner !== undefined && !/Function/.test(owner.type)) owner = this.parent(owner);
        if (owner !== undefined) this.#returns.set(owner, this.returns(owner) + 1);
        break;
      }
      case "Identifier": {
        const name = node["name"] as string;
        const same = this.#identifiers.get(name);
        if (same === undefined) this.#identifiers.set(name, [node]);
        else same.push(node);
        break;
      }
    }
  }

  /** The outer of two expressions at one place wins: it is visited first. */
  #place({ line, column }: Position, expression: SyntaxNode, offset = 0): void {
    const key = `${line}:${column + offset + 1}`;
    if (!this.#expressions.has(key)) this.#expressions.set(key, expression);
  }
}

/** An expression without what TypeScript puts around it. */
function withoutTypes(node: SyntaxNode): SyntaxNode {
  return /^TS.*Expression$/.test(node.type) ? withoutTypes(node["expression"] as SyntaxNode) : node;
}

/** Whether the property is read of what a call returned, or of a property of that. */
function followsCall(member: SyntaxNode): boolean {
  const object = withoutTypes(member["object"] as SyntaxNode);
  return object.type === "CallExpression" || (object.type === "MemberExpression" && followsCall(object));
}

function childrenOf(node: SyntaxNode): SyntaxNode[] {
  return Object.values(node).flatMap((value) =>
    Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : [],
  );
}

const isNode = (value: unknown): value is SyntaxNode =>
  typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";
