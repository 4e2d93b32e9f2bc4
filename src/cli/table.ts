/** Tables for people: columns with headers, separated by two blanks. */

export interface Column {
  readonly header: string;
  /** Use `right` for numbers. */
  readonly align?: "left" | "right";
}

/**
 * Lays out rows of cells; every line ends in a newline. `emphasise` marks the headers, for example in bold, and
 * must not change their width.
 */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  emphasise: (text: string) => string = (text) => text,
): string {
  const cells = rows.map((row) => row.map(printable));
  const widths = columns.map(({ header }, i) =>
    cells.reduce((most, row) => Math.max(most, width(row[i] ?? "")), width(header)),
  );
  const line = (row: readonly string[], mark: (text: string) => string) =>
    columns
      .map(({ align }, i) => {
        const text = row[i] ?? "";
        const padding = " ".repeat(widths[i]! - width(text));
        // No padding after the last column.
        return align === "right" ? padding + mark(text) : mark(text) + (i === columns.length - 1 ? "" : padding);
      })
      .join("  ")
      .trimEnd();
  return [
    line(
      columns.map(({ header }) => header),
      emphasise,
    ),
    ...cells.map((row) => line(row, (text) => text)),
  ]
    .map((text) => `${text}\n`)
    .join("");
}

/** Code points, which is the width of most scripts on a terminal. */
function width(text: string): number {
  return [...text].length;
}

/** Escapes control characters, so that map contents cannot control the terminal. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
