/** The page of one door: every export with its signature, its doc comment and its examples. */
import ts from "typescript-classic";
import {
  commentOf,
  exportsOf,
  fileComment,
  unexportedTypes,
  type Declaration,
  type Export,
  type Namespace,
} from "./declarations.ts";
import { parseDocComment } from "./doc-comment.ts";
import { doors, type Door } from "./doors.ts";
import { namedHooks } from "./hooks-page.ts";
import { signatureOf } from "./signature.ts";

export const NOTE = "<!-- Written by npm run docs:api from the doc comments: change those. -->";

let owners: Map<string, Door> | undefined;

/** The door whose page documents an export: the first one that has it. */
function ownerOf(item: Export | Namespace): Door | undefined {
  owners ??= new Map(
    [...doors()].reverse().flatMap((door) => exportsOf(door.file).map((other) => [keyOf(other), door])),
  );
  return owners.get(keyOf(item));
}

/** The exports that a door's page documents: other doors' are only linked. */
export const ownExports = (door: Door): (Export | Namespace)[] =>
  exportsOf(door.file).filter((item) => ownerOf(item)!.specifier === door.specifier);

/** Types that exports refer to, and that no door exports. */
export function otherTypes(items: readonly (Export | Namespace)[]): Export[] {
  const found = new Map<string, Export>();
  for (const item of items) unexportedTypes(item, (other) => ownerOf(other) !== undefined, found);
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

const keyOf = ({ name, file }: Export | Namespace): string => `${file} ${name}`;

export function doorPage(door: Door): string {
  const comment = fileComment(door.file);
  const own = ownExports(door);
  const others = otherTypes(own);
  return `${[
    `# ${door.specifier}`,
    NOTE,
    ...(comment === undefined ? [] : [parseDocComment(comment).text]),
    `| export | |\n| --- | --- |\n${exportsOf(door.file)
      .map((item) => indexRow(item, door))
      .join("\n")}`,
    ...own.filter(({ declarations }) => declarations.length > 0).map((item) => entry(item, "##")),
    ...(others.length === 0
      ? []
      : [
          "## Other types",
          "Types that the ones above refer to. They have no exported name.",
          ...others.map((item) => entry(item, "###")),
        ]),
  ].join("\n\n")}\n`;
}

function indexRow(item: Export | Namespace, door: Door): string {
  if (item.declarations.length === 0) {
    const module = doors().find(({ file }) => file === item.file)!;
    return `| [\`${item.name}\`](${module.page}) | everything of \`${module.specifier}\` |`;
  }
  const owner = ownerOf(item)!;
  const own = ownExports(owner);
  const anchor = anchorsOf(own.map(({ name }) => name))[own.findIndex(({ name }) => name === item.name)]!;
  return (
    `| [\`${item.name}\`](${owner.specifier === door.specifier ? "" : owner.page}#${anchor}) | ` +
    `${firstSentence(item)} |`
  );
}

function firstSentence({ declarations }: Export | Namespace): string {
  const comment = declarations.map(commentOf).find((candidate) => candidate !== undefined);
  if (comment === undefined) return "";
  const text = parseDocComment(comment).text.replaceAll("\n", " ").replaceAll("|", "\\|");
  return /^.*?(?:\.(?= |$)|$)/.exec(text)![0];
}

/** A link to a hook's section on its page. */
const hookLink = (hook: string): string => `[\`${hook}\`](hooks.md#${hook.replace(".", "").toLowerCase()})`;

function entry({ name, declarations }: Export | Namespace, heading: string): string {
  const documented = declarations
    .map(commentOf)
    .flatMap((comment) => (comment === undefined ? [] : [parseDocComment(comment)]));
  const members = declarations.flatMap(membersOf).flatMap((member) => {
    const comment = commentOf(member);
    return comment === undefined
      ? []
      : parseDocComment(comment).examples.map((code) => ({ name: member.name!.getText(), code }));
  });
  const hooksOf = namedHooks.filter(([hook]) => hook === name || hook.startsWith(`${name}.`));
  const list = (items: readonly string[]) => (items.length === 0 ? [] : [items.map((item) => `- ${item}`).join("\n")]);
  return [
    `${heading} ${name}`,
    `\`\`\`ts\n${declarations.map(signatureOf).join("\n\n")}\n\`\`\``,
    ...(hooksOf.length === 0 || heading !== "##"
      ? []
      : [`Hooks: ${hooksOf.map(([hook]) => hookLink(hook)).join(", ")}.`]),
    ...documented.flatMap(({ text, parameters, returns, throws }) => [
      ...(text === "" ? [] : [text]),
      ...list([
        ...parameters.map(({ name, text }) => `\`${name}\`: ${text}`),
        ...(returns === undefined ? [] : [`Returns ${returns}`]),
        ...throws.map(
          ({ type, text }) =>
            `Throws ${type === undefined ? "an error" : `\`${type}\``}${text === "" ? "." : ` ${text}`}`,
        ),
      ]),
    ]),
    ...documented.flatMap(({ examples }) => examples).map((code) => `\`\`\`ts\n${code}\`\`\``),
    ...members.map(({ name, code }) => `\`${name}\`:\n\n\`\`\`ts\n${code}\`\`\``),
  ].join("\n\n");
}

/** The members of a class or interface. */
export function membersOf(declaration: Declaration): (ts.ClassElement | ts.TypeElement)[] {
  return ts.isClassDeclaration(declaration) || ts.isInterfaceDeclaration(declaration) ? [...declaration.members] : [];
}

/** GitHub's anchors of headings: lower case, numbered where two are alike. */
function anchorsOf(names: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return names.map((name) => {
    const anchor = name.toLowerCase();
    const count = seen.get(anchor) ?? 0;
    seen.set(anchor, count + 1);
    return count === 0 ? anchor : `${anchor}-${count}`;
  });
}
