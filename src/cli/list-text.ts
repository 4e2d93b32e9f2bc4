/** The most names in one list. */
const SHOWN = 20;

/** `a, b, c`; of a long list the first 20 and the number of the others. */
export function listText(names: readonly string[]): string {
  const more = names.length - SHOWN;
  return more > 0 ? `${names.slice(0, SHOWN).join(", ")} and ${more} more` : names.join(", ");
}
