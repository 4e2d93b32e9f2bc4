import { UsageError } from "../../src/cli/errors.ts";

/**
 * The cases whose name contains `filter`, all without one.
 *
 * @throws {UsageError} where there is none.
 */
export function selectCases<T extends { readonly name: string }>(
  cases: readonly T[],
  filter: string | undefined,
): readonly T[] {
  if (filter === undefined) return cases;
  const selected = cases.filter(({ name }) => name.includes(filter));
  if (selected.length === 0)
    throw new UsageError(`no case has ${JSON.stringify(filter)} in its name`, { hint: "--list shows them all" });
  return selected;
}
