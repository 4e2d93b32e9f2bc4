/** The most names in one list of a message. */
const SHOWN = 20;

/** `a, b, c`; of a long list the first and the number of the others: `a, b, and 60 more`. */
export function listText(items: readonly string[], shown = SHOWN): string {
  const more = items.length - shown;
  return items.slice(0, shown).join(", ") + (more > 0 ? `, and ${more.toLocaleString("en-GB")} more` : "");
}
