/**
 * Whether the TypeScript around a call of the DSL treats its result as a value
 * of the process that builds the program.
 *
 * `if (ctx.protocol.eq(6))` compiles and runs, but it tests an object, which is
 * always true: the program is another one than its author wrote. TypeScript has
 * no type that forbids this, so the source text is asked.
 */
import type { SyntaxNode, SyntaxTree } from "./syntax.ts";

/** The use of an expression's value. */
export type Usage =
  /** Nothing in the text is wrong. */
  | { readonly kind: "fine" }
  /** The function around it returns the value: its caller decides. */
  | { readonly kind: "returned"; readonly optional: boolean }
  /** The process that builds the program decides by it, or computes with it. */
  | { readonly kind: "misused"; readonly construct: string; readonly line: number; readonly column: number };

const fine: Usage = { kind: "fine" };

/** The way of a value to its place in the text. */
interface Path {
  /** The value may be absent, so a test for its presence is right. */
  readonly optional: boolean;
  /** The value is used where it was made, not from a variable. */
  readonly direct: boolean;
}

/**
 * The usage of the value of `node`.
 * @param optional it may be absent where it comes from, so that testing for its presence is right
 */
export function usageOf(tree: SyntaxTree, node: SyntaxNode, optional = false): Usage {
  return follow(tree, node, { optional, direct: !optional });
}

function follow(tree: SyntaxTree, node: SyntaxNode, path: Path): Usage {
  const parent = tree.parent(node);
  if (parent === undefined) return fine;
  const misused = (construct: string): Usage => ({
    kind: "misused",
    construct,
    line: parent.loc!.start.line,
    column: parent.loc!.start.column + 1,
  });
  const truthiness = (construct: string): Usage => (path.optional ? fine : misused(construct));
  switch (parent.type as string) {
    case "ParenthesizedExpression":
    case "TSAsExpression":
    case "TSNonNullExpression":
    case "TSSatisfiesExpression":
    case "TSTypeAssertion":
    case "ChainExpression":
      return follow(tree, parent, path);
    case "IfStatement":
      return truthiness("if");
    case "WhileStatement":
    case "DoWhileStatement":
      return truthiness("while");
    case "ForStatement":
      return parent["test"] === node ? truthiness("for") : fine;
    case "ConditionalExpression":
      return parent["test"] === node ? truthiness("?:") : follow(tree, parent, { ...path, optional: true });
    case "LogicalExpression": {
      const operator = parent["operator"] as string;
      if (parent["right"] === node) return follow(tree, parent, { ...path, optional: true });
      if (operator === "??" && !path.direct) return fine;
      return truthiness(operator);
    }
    case "UnaryExpression": {
      const operator = parent["operator"] as string;
      if (operator === "!") return truthiness("!");
      if (operator === "typeof") return path.direct ? misused("typeof") : fine;
      return operator === "void" || operator === "delete" ? fine : misused(`unary ${operator}`);
    }
    case "BinaryExpression": {
      const operator = parent["operator"] as string;
      const other = (parent["left"] === node ? parent["right"] : parent["left"]) as SyntaxNode;
      const compares = /^[!=]==?$/.test(operator);
      if (compares && isNothing(other)) return fine;
      if ((compares || operator === "instanceof") && path.optional) return fine;
      return misused(operator);
    }
    case "SwitchStatement":
      return path.optional ? fine : misused("switch");
    case "SwitchCase":
      return parent["test"] === node && !path.optional ? misused("case") : fine;
    case "TemplateLiteral":
      return misused("template");
    case "UpdateExpression":
      return misused(parent["operator"] as string);
    case "AwaitExpression":
      return misused("await");
    case "MemberExpression":
      return parent["computed"] === true && parent["property"] === node ? misused("index") : fine;
    case "CallExpression": {
      const callee = parent["callee"] as SyntaxNode;
      const name = callee.type === "Identifier" ? (callee["name"] as string) : "";
      return callee !== node && conversions.has(name) ? misused(`${name}()`) : fine;
    }
    case "AssignmentExpression":
      return parent["operator"] === "=" || parent["right"] !== node ? fine : misused(parent["operator"] as string);
    case "VariableDeclarator":
      return path.direct || !path.optional ? ofVariable(tree, parent, path) : fine;
    case "ArrowFunctionExpression":
      return parent["body"] === node ? { kind: "returned", optional: path.optional } : fine;
    case "ReturnStatement":
      return { kind: "returned", optional: path.optional || hasOtherReturns(tree, parent) };
    default:
      return fine;
  }
}

/** Functions of JavaScript that turn a value into another kind. */
const conversions: ReadonlySet<string> = new Set(["Boolean", "Number", "String", "BigInt", "parseInt", "isNaN"]);

function isNothing(node: SyntaxNode): boolean {
  return (
    (node.type === "Identifier" && node["name"] === "undefined") || (node.type === "Literal" && node["value"] === null)
  );
}

/** The first misuse of a variable that holds the value and nothing else. */
function ofVariable(tree: SyntaxTree, declarator: SyntaxNode, path: Path): Usage {
  const id = declarator["id"] as SyntaxNode;
  const declaration = tree.parent(declarator);
  const scope = declaration && tree.parent(declaration);
  if (id.type !== "Identifier" || scope === undefined) return fine;
  const name = id["name"] as string;
  const references = tree
    .references(name, scope)
    .filter((reference) => reference !== id && isVariable(tree, reference));
  // Shadowed or reassigned: the text does not say which value it holds.
  if (references.some((reference) => isBinding(tree, reference))) return fine;
  for (const reference of references) {
    const usage = follow(tree, reference, { ...path, direct: false });
    if (usage.kind === "misused") return usage;
  }
  return fine;
}

/** Whether an identifier names a variable, and not a property. */
function isVariable(tree: SyntaxTree, identifier: SyntaxNode): boolean {
  const parent = tree.parent(identifier);
  if (parent?.type === "MemberExpression") return parent["object"] === identifier || parent["computed"] === true;
  if (parent?.type === "Property") return parent["value"] === identifier || parent["computed"] === true;
  return true;
}

/** Whether an identifier is declared or written where it stands. */
function isBinding(tree: SyntaxTree, identifier: SyntaxNode): boolean {
  const parent = tree.parent(identifier);
  switch (parent?.type as string | undefined) {
    case "VariableDeclarator":
      return parent!["id"] === identifier;
    case "AssignmentExpression":
      return parent!["left"] === identifier;
    case "FunctionDeclaration":
    case "FunctionExpression":
    case "ArrowFunctionExpression":
      return parent!["body"] !== identifier;
    case "Property":
      return tree.parent(parent!)?.type === "ObjectPattern";
    case "ArrayPattern":
    case "AssignmentPattern":
    case "RestElement":
    case "CatchClause":
      return true;
    default:
      return false;
  }
}

/** Whether a function has another return, or may end without any: its result may be absent. */
function hasOtherReturns(tree: SyntaxTree, statement: SyntaxNode): boolean {
  const body = tree.parent(statement);
  // A single return that is the last statement of the function's own block.
  const statements = body?.type === "BlockStatement" ? (body["body"] as SyntaxNode[]) : [];
  const owner = body && tree.parent(body);
  const ownsBlock = owner !== undefined && /Function/.test(owner.type) && owner["body"] === body;
  return !ownsBlock || statements.at(-1) !== statement || tree.returns(owner) !== 1;
}

/**
 * Whether a statement before the one around `node`, in the same block, ends the
 * program or the round of the loop on every way, by its own text. A function
 * that ends the program does not count: the building process chooses whether to
 * call it.
 */
export function followsAnEnd(tree: SyntaxTree, node: SyntaxNode): boolean {
  for (let inner = node, outer = tree.parent(node); outer !== undefined; inner = outer, outer = tree.parent(outer)) {
    if (/Function/.test(outer.type)) return false;
    const statements =
      outer.type === "BlockStatement" || outer.type === "Program" ? (outer["body"] as SyntaxNode[]) : [];
    if (statements.slice(0, statements.indexOf(inner)).some(ends)) return true;
  }
  return false;
}

/** Calls of the builder that end the program or the round of a loop. */
const ending: ReadonlySet<string> = new Set(["return", "break", "continue"]);

/** Calls that run one of two functions. */
const branching: ReadonlySet<string> = new Set(["if", "match"]);

function ends(node: SyntaxNode): boolean {
  if (node.type === "ExpressionStatement") return ends(node["expression"] as SyntaxNode);
  if (node.type !== "CallExpression") return false;
  const callee = node["callee"] as SyntaxNode;
  const property = callee.type === "MemberExpression" ? (callee["property"] as SyntaxNode) : undefined;
  const method = property?.["name"] as string | undefined;
  if (method === undefined) return false;
  if (ending.has(method)) return true;
  if (!branching.has(method)) return false;
  const branches = (node["arguments"] as SyntaxNode[]).filter(({ type }) => type === "ArrowFunctionExpression");
  return branches.length === 2 && branches.every(endsInside);
}

function endsInside(fn: SyntaxNode): boolean {
  const body = fn["body"] as SyntaxNode;
  return body.type === "BlockStatement" ? (body["body"] as SyntaxNode[]).some(ends) : ends(body);
}
