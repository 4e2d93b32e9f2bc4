/** Field names and list indices of a desired state, outermost first: `["services", 0, "port"]`. */
export type FieldPath = readonly PropertyKey[];

/**
 * A path as text: `services[0].port`.
 *
 * @example
 * ```ts
 * import { fieldText } from "tsbpf/lb";
 *
 * console.log(fieldText(["services", 0, "port"])); // services[0].port
 * ```
 */
export function fieldText(path: FieldPath): string {
  return path
    .map((part, i) => (typeof part === "number" ? `[${part}]` : `${i === 0 ? "" : "."}${String(part)}`))
    .join("");
}
