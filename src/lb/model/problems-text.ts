/** The most problems that one message lists. */
const SHOWN = 20;

/**
 * One problem as it is; several as a list under their number, cut after 20.
 * @param what names several: `mistakes in the configuration`
 */
export function problemsText(problems: readonly string[], what: string): string {
  if (problems.length === 1) return problems[0]!;
  const more = problems.length - SHOWN;
  const shown = more > 0 ? [...problems.slice(0, SHOWN), `and ${more} more`] : problems;
  return `${problems.length} ${what}\n  ${shown.join("\n  ")}`;
}
