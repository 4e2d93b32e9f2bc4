/** Finds the function that a call runs, by the text of the program. */
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { syntaxTreeOf, type SyntaxNode, type SyntaxTree } from "./syntax.ts";

/** A function, and the file that it stands in. */
export interface FoundFunction {
  readonly tree: SyntaxTree;
  readonly fn: SyntaxNode;
}

/**
 * The function behind a callee: written there, declared in the file, or imported
 * from a file of the program; undefined where the text leaves a doubt.
 */
export function functionOf(tree: SyntaxTree, callee: SyntaxNode): FoundFunction | undefined {
  if (isFunction(callee)) return { tree, fn: callee };
  if (callee.type !== "Identifier") return undefined;
  const declared = declaredFunction(tree, callee["name"] as string);
  if (declared !== "imported") return declared && { tree, fn: declared };
  return importedFunction(tree, callee["name"] as string);
}

const isFunction = ({ type }: SyntaxNode): boolean =>
  type === "ArrowFunctionExpression" || type === "FunctionExpression" || type === "FunctionDeclaration";

/** The one function of that name in a file; `"imported"` where the name comes from another. */
function declaredFunction(tree: SyntaxTree, name: string): SyntaxNode | "imported" | undefined {
  const found: (SyntaxNode | "imported")[] = [];
  for (const identifier of new Set(tree.references(name, tree.root))) {
    const parent = tree.parent(identifier);
    if (parent === undefined) continue;
    if (/^Import.*Specifier$/.test(parent.type) && parent["local"] === identifier) found.push("imported");
    else if (isFunction(parent) && (parent["params"] as SyntaxNode[]).includes(identifier)) return undefined;
    else if (parent["id"] === identifier) {
      const fn = parent.type === "VariableDeclarator" ? (parent["init"] as SyntaxNode | null) : parent;
      if (fn === null || !isFunction(fn)) return undefined;
      found.push(fn);
    }
  }
  return found.length === 1 ? found[0] : undefined;
}

function importedFunction(tree: SyntaxTree, name: string): FoundFunction | undefined {
  const specifier = tree
    .references(name, tree.root)
    .map((identifier) => tree.parent(identifier))
    .find((parent) => parent?.type === "ImportSpecifier");
  const imported = (specifier?.["imported"] as SyntaxNode | undefined)?.["name"] as string | undefined;
  const declaration = specifier && tree.parent(specifier);
  const from = (declaration?.["source"] as SyntaxNode | undefined)?.["value"] as string | undefined;
  if (imported === undefined || from === undefined || !from.startsWith(".") || tree.file === undefined)
    return undefined;
  const path = resolve(dirname(tree.file), from);
  const file = [path, path.replace(/\.js$/, ".ts"), `${path}.ts`].find((each) => existsSync(each));
  const other = file === undefined ? undefined : syntaxTreeOf(file);
  const fn = other && declaredFunction(other, imported);
  return other === undefined || fn === undefined || fn === "imported" ? undefined : { tree: other, fn };
}
