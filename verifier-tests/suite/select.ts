import { UsageError } from "../../src/cli/errors.ts";

/**
 * The cases whose name contains `filter`; all without a filter.
 *
 * @throws {UsageError} if no case matches.
 */
export function selectCases<T extends { readonly name: string }>(
  cases: readonly T[],
  filter: string | undefined,
): readonly T[] {
  if (filter === undefined) return cases;
  const selected = cases.filter(({ name }) => name.includes(filter));
  if (selected.length === 0)
    throw new UsageError(`no case matches --filter ${JSON.stringify(filter)}`, { hint: "--list shows all cases" });
  return selected;
}
