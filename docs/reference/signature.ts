/** A declaration as a page shows it: without bodies, private members and examples. */
import ts from "typescript-classic";
import { isPrivate, type Declaration } from "./declarations.ts";
import { withoutExamples } from "./doc-comment.ts";

/** Longer initial values are left out. */
const MAX_INITIALIZER_LINES = 30;

export function signatureOf(declaration: Declaration): string {
  if (ts.isFunctionDeclaration(declaration)) return headOf(declaration, declaration.body);
  if (ts.isClassDeclaration(declaration)) return classText(declaration);
  if (ts.isVariableDeclaration(declaration)) return variableText(declaration);
  if (ts.isBindingElement(declaration)) return `const ${declaration.name.getText()}`;
  return membersText(declaration);
}

/** The text of a declaration up to its body. */
function headOf(node: ts.Node, body: ts.Node | undefined): string {
  const text = node.getSourceFile().text.slice(node.getStart(), body?.getFullStart() ?? node.getEnd());
  return dedent(
    node,
    text
      .replace(/^(?:export |async )+/, "")
      .trimEnd()
      .replace(/;$/, ""),
  );
}

function variableText(declaration: ts.VariableDeclaration): string {
  const { initializer, type } = declaration;
  const name = declaration.name.getText();
  if (initializer && ts.isArrowFunction(initializer)) {
    const head = headOf(initializer, initializer.equalsGreaterThanToken).trimEnd();
    return type === undefined ? `function ${name}${head}` : `const ${name}: ${type.getText()}`;
  }
  if (type !== undefined) return `const ${name}: ${type.getText()}`;
  const value = dedent(declaration, initializer?.getText() ?? "");
  return `const ${name} = ${value.split("\n").length > MAX_INITIALIZER_LINES ? "…" : value}`;
}

function classText(declaration: ts.ClassDeclaration): string {
  const text = declaration.getSourceFile().text;
  const head = text.slice(declaration.getStart(), declaration.members.pos).replace(/^export /, "");
  const members = declaration.members
    .filter((member) => !isPrivate(member))
    .map((member) => {
      const body = "body" in member ? (member.body as ts.Node | undefined) : undefined;
      const initializer = ts.isPropertyDeclaration(member) ? member.initializer : undefined;
      const end =
        body?.getFullStart() ??
        (initializer && ts.isPropertyDeclaration(member) && member.type ? member.type.getEnd() : member.getEnd());
      const own = text.slice(member.getStart(), end).trimEnd().replace(/;$/, "");
      return `  ${memberComment(member)}${own.replace(/^override |(?<=^readonly )override /, "")};\n`;
    });
  return `${head.trim()}\n${members.join("")}}`;
}

function memberComment(member: ts.Node): string {
  const text = member.getSourceFile().text;
  const comment = (ts.getLeadingCommentRanges(text, member.getFullStart()) ?? [])
    .map(({ pos, end }) => text.slice(pos, end))
    .findLast((candidate) => candidate.startsWith("/**"));
  return comment === undefined ? "" : withoutExamples(comment, "  ");
}

/** An interface or a type, with the comments of its members but for their examples. */
function membersText(declaration: ts.InterfaceDeclaration | ts.TypeAliasDeclaration): string {
  const text = declaration.getSourceFile().text.slice(declaration.getStart(), declaration.getEnd());
  return text
    .replace(/^export /, "")
    .replace(
      /^([ \t]*)(\/\*\*[^]*?\*\/)\s*/gm,
      (_, indent: string, comment: string) => indent + withoutExamples(comment, indent),
    );
}

/** Indentation of the line on which the node begins is taken from the lines after it. */
function dedent(node: ts.Node, text: string): string {
  const source = node.getSourceFile();
  const { line } = source.getLineAndCharacterOfPosition(node.getStart());
  const indent = /^\s*/.exec(source.text.slice(source.getPositionOfLineAndCharacter(line, 0)))![0];
  return indent === "" ? text : text.replaceAll(`\n${indent}`, "\n");
}
