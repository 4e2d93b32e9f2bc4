/** docs/api/hooks.md: what a program of each hook may read, write, call and return. */
import ts from "typescript-classic";
import { methodsOf } from "../../src/dsl/index.ts";
import { hooks, isHook, type Hook } from "../../src/hooks/index.ts";
import { AttachType, ProgramType } from "../../src/types/index.ts";
import { commentOf, importsOf, resolve, sourceFile } from "./declarations.ts";
import { parseDocComment } from "./doc-comment.ts";

const INDEX = "src/hooks/index.ts";

/** Every hook by its name in TypeScript: `cgroup.connect4`, `xdp`. */
export const namedHooks: readonly (readonly [name: string, hook: Hook])[] = Object.entries<
  Hook | Readonly<Record<string, Hook>>
>(hooks).flatMap(([name, entry]) =>
  isHook(entry)
    ? [[name, entry] as const]
    : Object.entries(entry).map(([own, hook]) => [`${name}.${own}`, hook] as const),
);

const tableRow = (hook: string): string =>
  `| [\`${hook}\`](#${hook.replace(".", "").toLowerCase()}) | ${describe(hook)} |`;

export function hooksPage(note: string): string {
  return `${[
    "# Hooks",
    note,
    "What a program of each hook may read, write, call and return. " +
      "The types of `tsbpf` are computed from the same declarations, so the type checker refuses everything else.",
    ["| hook | runs on |", "| --- | --- |", ...namedHooks.map(([name]) => tableRow(name))].join("\n"),
    ...namedHooks.map(([name, hook]) => section(name, hook)),
  ].join("\n\n")}\n`;
}

const describe = (name: string): string => {
  const { declarations } = resolve(INDEX, name.split(".").at(-1)!);
  const comment = declarations.map(commentOf).find((candidate) => candidate !== undefined);
  return comment === undefined ? "" : parseDocComment(comment).text.split("\n\n")[0]!.replaceAll("\n", " ");
};

function section(name: string, hook: Hook): string {
  const { file } = resolve(INDEX, name.split(".").at(-1)!);
  const comments = fieldComments(file);
  const rows = Object.entries(hook.context).flatMap(([field, facts]) => {
    if (!("pointer" in facts)) return [row(field, typeOf(facts), isWritable(facts), comments)];
    return [
      row(
        field,
        facts.pointer === "bpf_sock" ? "the socket" : "the packet's bounds, for `b.packet()`",
        false,
        comments,
      ),
      ...Object.entries(facts.fields).map(([inner, facts]) => row(`${field}.${inner}`, typeOf(facts), false, comments)),
    ];
  });
  const attachType = hook.expectedAttachType === undefined ? undefined : keyOf(AttachType, hook.expectedAttachType);
  return [
    `## ${name}`,
    describe(name),
    [
      `- Section \`${hook.sections[0]}\`, program type \`${keyOf(ProgramType, hook.type)}\`` +
        `${attachType === undefined ? "" : `, attach type \`${attachType}\``}.`,
      `- Attaches to ${{ cgroup: "a cgroup", interface: "a network interface", socket: "a socket" }[hook.target]}.`,
      `- Returns ${hook.returns === "any" ? "any number of 32 bits" : hook.returns.join(", ")}.`,
      `- Helpers: ${methodsOf(hook.helpers)
        .map((method) => `\`${method}\``)
        .join(", ")}.`,
    ].join("\n"),
    `| context field | type | access | |\n| --- | --- | --- | --- |\n${rows.join("\n")}`,
  ].join("\n\n");
}

type Facts = Hook["context"][string];

const isWritable = (facts: Facts): boolean =>
  "element" in facts ? facts.element.writable : "writable" in facts && facts.writable;

const typeOf = (facts: Facts): string =>
  "element" in facts ? "IPv6 address" : "kind" in facts ? `\`${facts.kind}\`` : "";

function row(name: string, type: string, writable: boolean, comments: ReadonlyMap<string, string>): string {
  const comment = comments.get(name.split(".").at(-1)!) ?? "";
  return `| \`${name}\` | ${type} | ${writable ? "read, write" : "read"} | ${comment.replaceAll("|", "\\|")} |`;
}

const keyOf = (table: Readonly<Record<string, number>>, value: number): string =>
  Object.entries(table).find(([, other]) => other === value)?.[0] ?? String(value);

/** Comments of the fields that a hook's file declares, or else the files that it imports. */
function fieldComments(file: string, found = new Map<string, string>(), seen = new Set<string>()): Map<string, string> {
  if (seen.has(file) || !file.startsWith("src/hooks/")) return found;
  seen.add(file);
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAssignment(node)) {
      const comment = commentOf(node);
      const name = node.name.getText();
      if (comment !== undefined && !found.has(name))
        found.set(name, parseDocComment(comment).text.replaceAll("\n", " "));
    }
    ts.forEachChild(node, visit);
  };
  visit(sourceFile(file));
  for (const imported of importsOf(file)) fieldComments(imported, found, seen);
  return found;
}
