/** Every page of docs/api. */
import { fileComment } from "./declarations.ts";
import { parseDocComment } from "./doc-comment.ts";
import { doors } from "./doors.ts";
import { hooksPage } from "./hooks-page.ts";
import { doorPage, NOTE } from "./page.ts";

/** Texts by name of file. */
export function pages(): Map<string, string> {
  return new Map([
    ["README.md", indexPage()],
    ["hooks.md", hooksPage(NOTE)],
    ...doors().map((door) => [door.page, doorPage(door)] as const),
  ]);
}

function indexPage(): string {
  const rows = doors().map(({ specifier, page, file }) => {
    const comment = fileComment(file);
    return (
      `| [\`${specifier}\`](${page}) | ` +
      `${comment === undefined ? "" : parseDocComment(comment).text.split("\n\n")[0]!.replaceAll("\n", " ")} |`
    );
  });
  return (
    `# API reference\n\n${NOTE}\n\n| import | |\n| --- | --- |\n${rows.join("\n")}\n\n` +
    "[Hooks](hooks.md): what a program of each hook may read, write, call and return.\n"
  );
}
