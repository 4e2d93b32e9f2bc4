/**
 * What a module exports, read from its source alone: names are followed through
 * re-exports to the declarations behind them.
 */
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import ts from "typescript-classic";
import { ROOT } from "./doors.ts";

/** An export and where it is declared. */
export interface Export {
  readonly name: string;
  /** The module that declares it, relative to the project. */
  readonly file: string;
  /** Its declarations: several for an overloaded function, or for a type and a value of one name. */
  readonly declarations: readonly Declaration[];
}

/** A whole module under a name (`export * as asm`). */
export interface Namespace {
  readonly name: string;
  readonly file: string;
  readonly declarations: readonly [];
}

export type Declaration =
  | ts.FunctionDeclaration
  | ts.ClassDeclaration
  | ts.InterfaceDeclaration
  | ts.TypeAliasDeclaration
  | ts.VariableDeclaration
  | ts.BindingElement;

const files = new Map<string, ts.SourceFile>();

/** A source file, parsed once. `file` is relative to the project. */
export function sourceFile(file: string): ts.SourceFile {
  let source = files.get(file);
  if (source === undefined) {
    source = ts.createSourceFile(file, readFileSync(join(ROOT, file), "utf8"), ts.ScriptTarget.Latest, true);
    files.set(file, source);
  }
  return source;
}

const exported = new Map<string, readonly (Export | Namespace)[]>();

/** Everything that a module exports, in the order of its source. */
export function exportsOf(file: string): readonly (Export | Namespace)[] {
  let found = exported.get(file);
  if (found === undefined) exported.set(file, (found = readExports(file)));
  return found;
}

function readExports(file: string): (Export | Namespace)[] {
  const found = new Map<string, Export | Namespace>();
  const add = (item: Export | Namespace) => {
    if (!found.has(item.name)) found.set(item.name, item);
  };
  for (const statement of sourceFile(file).statements) {
    if (ts.isExportDeclaration(statement)) {
      const from = statement.moduleSpecifier && moduleFile(file, statement.moduleSpecifier);
      const { exportClause } = statement;
      if (exportClause === undefined) exportsOf(from!).forEach(add);
      else if (ts.isNamespaceExport(exportClause)) add({ name: exportClause.name.text, file: from!, declarations: [] });
      else
        for (const { name, propertyName } of exportClause.elements)
          add({ ...resolve(from ?? file, (propertyName ?? name).text), name: name.text });
    } else if (isExported(statement)) {
      for (const declaration of declarationsOf(statement)) add(resolve(file, declaration.name!.getText()));
    }
  }
  return [...found.values()];
}

/** The declarations of a name that a module exports, declares or imports. */
export function resolve(file: string, name: string): Export | Namespace {
  const source = sourceFile(file);
  const declarations = source.statements.flatMap((statement) =>
    declarationsOf(statement).filter((declaration) => declaration.name?.getText() === name),
  );
  if (declarations.length > 0) return { name, file, declarations };
  for (const statement of source.statements) {
    if (!ts.isImportDeclaration(statement)) continue;
    const bindings = statement.importClause?.namedBindings;
    if (bindings === undefined || !ts.isNamedImports(bindings)) continue;
    const element = bindings.elements.find((candidate) => candidate.name.text === name);
    if (element)
      return resolve(moduleFile(file, statement.moduleSpecifier), (element.propertyName ?? element.name).text);
  }
  const found = exportsOf(file).find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`${file} has no ${name}`);
  return found;
}

function declarationsOf(statement: ts.Statement): Declaration[] {
  if (ts.isVariableStatement(statement))
    return statement.declarationList.declarations.flatMap((declaration): Declaration[] =>
      ts.isObjectBindingPattern(declaration.name) ? [...declaration.name.elements] : [declaration],
    );
  if (
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement)
  )
    return [statement];
  return [];
}

const isExported = (statement: ts.Statement): boolean =>
  ts.canHaveModifiers(statement) &&
  (ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false);

/** The project's modules that a module imports. */
export const importsOf = (file: string): string[] =>
  sourceFile(file).statements.flatMap((statement) =>
    ts.isImportDeclaration(statement) && (statement.moduleSpecifier as ts.StringLiteral).text.startsWith(".")
      ? [moduleFile(file, statement.moduleSpecifier)]
      : [],
  );

function moduleFile(importer: string, specifier: ts.Expression): string {
  return relative(ROOT, join(ROOT, dirname(importer), (specifier as ts.StringLiteral).text));
}

/** The doc comment of a declaration, with its delimiters. */
export function commentOf(node: ts.Node): string | undefined {
  const holder = ts.isVariableDeclaration(node) ? node.parent.parent : node;
  const text = holder.getSourceFile().text;
  return (ts.getLeadingCommentRanges(text, holder.getFullStart()) ?? [])
    .map(({ pos, end }) => text.slice(pos, end))
    .findLast((comment) => comment.startsWith("/**"));
}

/** Types that a declaration names in its signature, and no door exports: their declarations by name. */
export function unexportedTypes(
  { file, declarations }: Export | Namespace,
  isExportedByDoor: (item: Export) => boolean,
  found: Map<string, Export> = new Map(),
): Map<string, Export> {
  const visit = (node: ts.Node): void => {
    if (ts.isBlock(node) || isPrivate(node)) return;
    if (
      (ts.isVariableDeclaration(node) || ts.isPropertyDeclaration(node)) &&
      node.initializer &&
      !isFunctionExpression(node.initializer)
    ) {
      if (node.type) visit(node.type);
      return;
    }
    if (ts.isArrowFunction(node)) {
      node.typeParameters?.forEach(visit);
      node.parameters.forEach(visit);
      if (node.type) visit(node.type);
      return;
    }
    const name =
      ts.isTypeReferenceNode(node) && ts.isIdentifier(node.typeName)
        ? node.typeName.text
        : ts.isExpressionWithTypeArguments(node) && ts.isIdentifier(node.expression)
          ? node.expression.text
          : undefined;
    const item = name === undefined || found.has(name) ? undefined : tryResolve(file, name);
    if (item !== undefined && item.declarations.length > 0) {
      const types = item.declarations.filter(
        (declaration) => ts.isInterfaceDeclaration(declaration) || ts.isTypeAliasDeclaration(declaration),
      );
      if (types.length > 0 && !isInternal(item.file) && !isExportedByDoor(item as Export)) {
        found.set(name!, { ...(item as Export), declarations: types });
        unexportedTypes({ ...(item as Export), declarations: types }, isExportedByDoor, found);
      }
    }
    ts.forEachChild(node, visit);
  };
  declarations.forEach(visit);
  return found;
}

/** Rooms whose types no user meets. */
const isInternal = (file: string): boolean =>
  file.startsWith("src/compiler/") || file === "src/dsl/ssa.ts" || file === "src/dsl/emitter.ts";

const resolved = new Map<string, Export | Namespace | undefined>();

function tryResolve(file: string, name: string): Export | Namespace | undefined {
  const key = `${file} ${name}`;
  if (resolved.has(key)) return resolved.get(key);
  let item: Export | Namespace | undefined;
  try {
    item = resolve(file, name);
  } catch {
    // A type parameter, or a type of the language.
  }
  resolved.set(key, item);
  return item;
}

/** Whether a member of a class is out of its users' sight. */
export const isPrivate = (node: ts.Node): boolean =>
  (ts.isClassElement(node) && node.name !== undefined && ts.isPrivateIdentifier(node.name)) ||
  ts.isClassStaticBlockDeclaration(node) ||
  ts.isSemicolonClassElement(node) ||
  (ts.isClassElement(node) &&
    ts.canHaveModifiers(node) &&
    (ts.getModifiers(node) ?? []).some(
      ({ kind }) => kind === ts.SyntaxKind.PrivateKeyword || kind === ts.SyntaxKind.ProtectedKeyword,
    ));

/** The comment that opens a file. */
export function fileComment(file: string): string | undefined {
  const { text } = sourceFile(file);
  return /^(?:#!.*\n)?(\/\*\*[^]*?\*\/)/.exec(text)?.[1];
}

/** Whether a declaration is called: a function, a class, or a constant that is a function. */
export function isFunction(declaration: Declaration): boolean {
  if (ts.isFunctionDeclaration(declaration) || ts.isClassDeclaration(declaration)) return true;
  return ts.isVariableDeclaration(declaration) && isFunctionExpression(declaration.initializer);
}

function isFunctionExpression(expression: ts.Expression | undefined): boolean {
  return expression !== undefined && (ts.isArrowFunction(expression) || ts.isFunctionExpression(expression));
}
