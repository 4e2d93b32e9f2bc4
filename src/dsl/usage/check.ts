/** Refuses TypeScript that decides by a value which only the running program has. */
import type { SourceLocation } from "../../asm/index.ts";
import { BuildError } from "../errors.ts";
import { captureCallers } from "../source.ts";
import { remedyFor } from "./remedies.ts";
import { syntaxTreeOf, type SyntaxNode } from "./syntax.ts";
import { followsAnEnd, usageOf, type Usage } from "./usage.ts";

const fine: Usage = { kind: "fine" };

/** By place, since a place is asked for each time that it runs. */
const known = new WeakMap<SourceLocation, { readonly certain: Usage; readonly optional: Usage }>();

const FEW_CALLERS = 3;

/**
 * Looks at the text around the call of a method of the DSL.
 * @param source the place of the call
 * @param method the method, by which the callers are found where a function returns its value
 * @throws {BuildError} where the value is treated as one of the building process
 */
export function checkUsage(source: SourceLocation, method: Function): void {
  let usage = usageAt(source, false);
  if (usage.kind === "returned") {
    let optional = usage.optional;
    // Most values are used one call further out, and frames are what a capture costs.
    let callers = captureCallers(method, FEW_CALLERS);
    for (let depth = 1; depth < callers.length; depth++) {
      source = callers[depth]!;
      usage = usageAt(source, optional);
      if (usage.kind !== "returned") break;
      optional = usage.optional;
      if (depth === FEW_CALLERS - 1) callers = captureCallers(method);
    }
  }
  if (usage.kind !== "misused") return;
  const { construct, file = source.file, line, column } = usage;
  throw new BuildError(remedyFor(construct), { file, line, column });
}

/**
 * Looks for an end of the program before the call, where the call is not reached.
 * @throws {BuildError} where the text says that it never is, whatever the building process chooses
 */
export function checkReachable(source: SourceLocation): void {
  const tree = syntaxTreeOf(source.file);
  const expression = tree?.expressionAt(source.line, source.column ?? 0);
  if (tree === undefined || expression === undefined || !followsAnEnd(tree, expression)) return;
  throw new BuildError(
    "this never runs: the program has returned or left the loop before; move it up, or delete it",
    source,
  );
}

/** Where the function of a program that is declared here gives the program's result, as far as its text shows. */
export function placeOfResult(declaration: SourceLocation): SourceLocation {
  const { file, line, column } = declaration;
  const tree = syntaxTreeOf(file);
  const call = tree?.expressionAt(line, column ?? 0);
  const given = call?.type === "CallExpression" ? (call["arguments"] as SyntaxNode[]) : [];
  const fn = given.find(({ type }) => /Function/.test(type));
  if (fn === undefined) return declaration;
  const body = fn["body"] as SyntaxNode;
  const statements = body.type === "BlockStatement" ? (body["body"] as SyntaxNode[]) : [body];
  const { start } = (statements.at(-1) ?? body).loc!;
  return { file, line: start.line, column: start.column + 1 };
}

function usageAt(source: SourceLocation, optional: boolean): Usage {
  let usages = known.get(source);
  if (usages === undefined)
    known.set(source, (usages = { certain: find(source, false), optional: find(source, true) }));
  return optional ? usages.optional : usages.certain;
}

function find({ file, line, column }: SourceLocation, optional: boolean): Usage {
  const tree = syntaxTreeOf(file);
  const expression = tree?.expressionAt(line, column ?? 0);
  return tree === undefined || expression === undefined ? fine : usageOf(tree, expression, optional);
}
