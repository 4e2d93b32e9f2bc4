/**
 * Whether the TypeScript around a call of the DSL treats its result as a value
 * of the process that builds the program.
 *
 * `if (ctx.protocol.eq(6))` compiles and runs, but it tests an object, which is
 * always true: the program is another one than its author wrote. TypeScript has
 * no type that forbids this, so the source text is asked.
 */
import { functionOf } from "./functions.ts";
import type { SyntaxNode, SyntaxTree } from "./syntax.ts";

/** The use of an expression's value. */
export type Usage =
  /** Nothing in the text is wrong. */
  | { readonly kind: "fine" }
  /** The function around it returns the value: its caller decides. */
  | { readonly kind: "returned"; readonly optional: boolean }
  /** The process that builds the program decides by it, or computes with it. */
  | {
      readonly kind: "misused";
      readonly construct: string;
      /** The file of the construct; undefined where it could not be read from one. */
      readonly file: string | undefined;
      readonly line: number;
      readonly column: number;
    };

const fine: Usage = { kind: "fine" };

/** The way of a value to its place in the text. */
interface Path {
  /** The value may be absent, so a test for its presence is right. */
  readonly optional: boolean;
  /** The value is used where it was made, not from a variable. */
  readonly direct: boolean;
  /** How many calls it has been passed to. */
  readonly depth: number;
}

/**
 * The usage of the value of `node`.
 * @param optional it may be absent where it comes from, so that testing for its presence is right
 */
export function usageOf(tree: SyntaxTree, node: SyntaxNode, optional = false): Usage {
  return follow(tree, node, { optional, direct: !optional, depth: 0 });
}

function follow(tree: SyntaxTree, node: SyntaxNode, path: Path): Usage {
  const parent = tree.parent(node);
  if (parent === undefined) return fine;
  const misused = (construct: string): Usage => ({
    kind: "misused",
    construct,
    file: tree.file,
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
      if (callee === node) return fine;
      const name = nameOf(callee);
      return conversions.has(name) ? misused(`${name}()`) : ofArgument(tree, parent, node, path);
    }
    case "ForInStatement":
      return parent["right"] === node ? misused("for … in") : fine;
    case "ThrowStatement":
      return misused("throw");
    case "ArrayExpression":
      return ofArray(tree, parent, node, path);
    case "Property":
      return parent["value"] === node ? ofProperty(tree, parent, path) : fine;
    case "AssignmentExpression": {
      const operator = parent["operator"] as string;
      if (operator === "=") return fine;
      return logicalAssignments.has(operator) ? truthiness(operator) : misused(operator);
    }
    case "VariableDeclarator":
      return path.direct || !path.optional ? ofVariable(tree, parent, path) : fine;
    case "ArrowFunctionExpression":
      if (parent["body"] !== node || isTakenByCondition(tree, parent)) return fine;
      return { kind: "returned", optional: path.optional };
    case "ReturnStatement":
      return { kind: "returned", optional: path.optional || hasOtherReturns(tree, parent) };
    default:
      return fine;
  }
}

/** Whether a function is given to `.and(…)` or `.or(…)`, which look at its result themselves. */
function isTakenByCondition(tree: SyntaxTree, fn: SyntaxNode): boolean {
  const call = tree.parent(fn);
  const callee = call?.type === "CallExpression" ? (call["callee"] as SyntaxNode) : undefined;
  const method = callee?.type === "MemberExpression" ? (callee["property"] as SyntaxNode)["name"] : undefined;
  return method === "and" || method === "or";
}

/** Functions of JavaScript that turn a value into another kind. */
const conversions: ReadonlySet<string> = new Set([
  ...["Boolean", "Number", "String", "BigInt", "parseInt", "isNaN", "Number.isInteger", "JSON.stringify"],
  ...["assert", "assert.ok", "Array.isArray", "Object.is", "Object.keys"],
]);

const logicalAssignments: ReadonlySet<string> = new Set(["&&=", "||=", "??="]);

/** `name` or `object.name`; empty for anything else. */
function nameOf(callee: SyntaxNode): string {
  if (callee.type === "Identifier") return callee["name"] as string;
  if (callee.type !== "MemberExpression" || callee["computed"] === true) return "";
  const object = callee["object"] as SyntaxNode;
  return object.type === "Identifier"
    ? `${object["name"] as string}.${(callee["property"] as SyntaxNode)["name"] as string}`
    : "";
}

function isNothing(node: SyntaxNode): boolean {
  return (
    (node.type === "Identifier" && node["name"] === "undefined") || (node.type === "Literal" && node["value"] === null)
  );
}

/** The first misuse of a variable that holds the value and nothing else. */
function ofVariable(tree: SyntaxTree, declarator: SyntaxNode, path: Path): Usage {
  const scope = scopeOf(tree, declarator);
  return scope === undefined ? fine : ofName(tree, declarator["id"] as SyntaxNode, scope, path);
}

/** The block around a declaration. */
function scopeOf(tree: SyntaxTree, declarator: SyntaxNode): SyntaxNode | undefined {
  const declaration = tree.parent(declarator);
  return declaration && tree.parent(declaration);
}

/** The first misuse of a name that stands for the value wherever it is in scope. */
function ofName(tree: SyntaxTree, id: SyntaxNode, scope: SyntaxNode, path: Path): Usage {
  for (const reference of readsOf(tree, id, scope)) {
    const usage = follow(tree, reference, { ...path, direct: false });
    const resulting =
      usage.kind === "returned" ? ofResult(tree, reference, { ...path, optional: usage.optional }) : usage;
    if (resulting.kind === "misused") return resulting;
  }
  return fine;
}

/** The first misuse of the result of the named function that returns the value at `node`. */
function ofResult(tree: SyntaxTree, node: SyntaxNode, path: Path): Usage {
  if (path.depth >= DEEPEST) return fine;
  let fn = tree.parent(node);
  while (fn !== undefined && !/Function/.test(fn.type)) fn = tree.parent(fn);
  const declarator = fn?.type === "FunctionDeclaration" ? fn : fn && tree.parent(fn);
  const id = declarator?.["id"] as SyntaxNode | null | undefined;
  const scope = declarator && (declarator === fn ? tree.parent(fn) : scopeOf(tree, declarator));
  if (!id || scope === undefined) return fine;
  for (const reference of readsOf(tree, id, scope)) {
    const call = tree.parent(reference);
    if (call?.type !== "CallExpression" || call["callee"] !== reference) continue;
    const usage = follow(tree, call, { ...path, direct: false, depth: path.depth + 1 });
    if (usage.kind === "misused") return usage;
  }
  return fine;
}

/** Where a name is read; nowhere if it may be bound to something else. */
function readsOf(tree: SyntaxTree, id: SyntaxNode, scope: SyntaxNode): readonly SyntaxNode[] {
  if (id.type !== "Identifier") return [];
  const name = id["name"] as string;
  const references = tree
    .references(name, scope)
    .filter((reference) => reference.start !== id.start && isVariable(tree, reference));
  // Shadowed or reassigned: the text does not say which value it holds.
  return references.some((reference) => isBinding(tree, reference)) ? [] : references;
}

/** How deep a value is followed into functions that it is passed to. */
const DEEPEST = 4;

/** The first misuse by the function that takes the value, where that one is found. */
function ofArgument(tree: SyntaxTree, call: SyntaxNode, node: SyntaxNode, path: Path): Usage {
  const found = path.depth < DEEPEST ? functionOf(tree, call["callee"] as SyntaxNode) : undefined;
  if (found === undefined) return fine;
  const position = (call["arguments"] as SyntaxNode[]).indexOf(node);
  const parameter = (found.fn["params"] as SyntaxNode[])[position];
  // Without a type, or with a union, the function may be made for an absent value.
  const type = (parameter?.["typeAnnotation"] as SyntaxNode | undefined)?.["typeAnnotation"] as SyntaxNode | undefined;
  if (parameter === undefined || type === undefined || type.type === "TSUnionType") return fine;
  const optional = path.optional || parameter["optional"] === true;
  return ofName(found.tree, parameter, found.fn, { ...path, optional, depth: path.depth + 1 });
}

/** Methods of arrays that give each element to a function: whether the function's result is a test. */
const eachElement: Readonly<Record<string, boolean>> = {
  some: true,
  every: true,
  find: true,
  findIndex: true,
  findLast: true,
  forEach: false,
  map: false,
  flatMap: false,
  filter: false,
};

const searches: ReadonlySet<string> = new Set(["includes", "indexOf", "lastIndexOf"]);

/** The first misuse of an element of an array. */
function ofArray(tree: SyntaxTree, array: SyntaxNode, element: SyntaxNode, path: Path): Usage {
  const elements = array["elements"] as (SyntaxNode | null)[];
  const certain = elements.every(
    (each) => each !== null && !isNothing(each) && !/^(Spread|Conditional|Logical)/.test(each.type),
  );
  const inside = { ...path, direct: false, optional: path.optional || !certain };
  const direct = ofElements(tree, array, inside);
  const declarator = tree.parent(array);
  if (direct.kind === "misused" || declarator?.type !== "VariableDeclarator") return direct;
  const scope = scopeOf(tree, declarator);
  const id = declarator["id"] as SyntaxNode;
  if (scope === undefined) return fine;
  if (id.type === "ArrayPattern") {
    const target = (id["elements"] as (SyntaxNode | null)[])[elements.indexOf(element)];
    return target ? ofPattern(tree, target, scope, inside) : fine;
  }
  for (const reference of readsOf(tree, id, scope)) {
    const usage = ofElements(tree, reference, inside);
    if (usage.kind === "misused") return usage;
  }
  return fine;
}

/** The first misuse of an element by what stands around an expression for its array. */
function ofElements(tree: SyntaxTree, array: SyntaxNode, path: Path): Usage {
  const parent = tree.parent(array);
  if (parent?.type === "ForOfStatement" && parent["right"] === array) {
    const declared = (parent["left"] as SyntaxNode)["declarations"] as SyntaxNode[] | undefined;
    return declared === undefined ? fine : ofName(tree, declared[0]!["id"] as SyntaxNode, parent, path);
  }
  if (parent?.type !== "MemberExpression" || parent["object"] !== array) return fine;
  if (parent["computed"] === true) return follow(tree, parent, path);
  const call = tree.parent(parent);
  const method = (parent["property"] as SyntaxNode)["name"] as string;
  if (call?.type !== "CallExpression" || call["callee"] !== parent) return fine;
  const misused = (construct: string): Usage => ({
    kind: "misused",
    construct,
    file: tree.file,
    line: parent.loc!.start.line,
    column: parent.loc!.start.column + 1,
  });
  if (searches.has(method)) return misused(`.${method}()`);
  const tests = Object.hasOwn(eachElement, method) ? eachElement[method] : undefined;
  const [fn] = call["arguments"] as SyntaxNode[];
  if (tests === undefined || fn === undefined) return fine;
  if (tests && fn["name"] === "Boolean") return path.optional ? fine : misused(`.${method}(Boolean)`);
  const [parameter] = (fn["params"] as SyntaxNode[] | undefined) ?? [];
  if (parameter === undefined) return fine;
  if (tests && !path.optional && isSame(fn["body"] as SyntaxNode, parameter)) return misused(`.${method}()`);
  return ofName(tree, parameter, fn, path);
}

const isSame = (one: SyntaxNode, other: SyntaxNode): boolean =>
  one.type === "Identifier" && other.type === "Identifier" && one["name"] === other["name"];

/** The first misuse of a property of an object literal that a variable holds, or that is taken apart at once. */
function ofProperty(tree: SyntaxTree, property: SyntaxNode, path: Path): Usage {
  const object = tree.parent(property);
  const declarator = object && tree.parent(object);
  const key = property["key"] as SyntaxNode;
  if (object?.type !== "ObjectExpression" || declarator?.type !== "VariableDeclarator") return fine;
  if (property["computed"] === true || key.type !== "Identifier") return fine;
  const scope = scopeOf(tree, declarator);
  const id = declarator["id"] as SyntaxNode;
  const inside = { ...path, direct: false };
  if (scope === undefined) return fine;
  if (id.type === "ObjectPattern") {
    const taken = (id["properties"] as SyntaxNode[]).find(
      (each) => each.type === "Property" && isSame(each["key"] as SyntaxNode, key),
    );
    return taken === undefined ? fine : ofPattern(tree, taken["value"] as SyntaxNode, scope, inside);
  }
  for (const reference of readsOf(tree, id, scope)) {
    const member = tree.parent(reference);
    if (member?.type !== "MemberExpression" || member["object"] !== reference || member["computed"] === true) continue;
    if (!isSame(member["property"] as SyntaxNode, key)) continue;
    const usage = follow(tree, member, inside);
    if (usage.kind === "misused") return usage;
  }
  return fine;
}

/** The first misuse of a name in a pattern. */
function ofPattern(tree: SyntaxTree, target: SyntaxNode, scope: SyntaxNode, path: Path): Usage {
  return target.type === "Identifier" ? ofName(tree, target, scope, path) : fine;
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
      return parent!["left"] === identifier && parent!["operator"] === "=";
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
