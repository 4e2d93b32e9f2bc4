/** The kernel's helper functions: their names, numbers and documented prototypes. */
import type { HelperFacts } from "./kinds.ts";
import { helpers } from "./table.ts";

/**
 * A helper's name as the kernel documents it: `bpf_map_lookup_elem`.
 *
 * @example
 * ```ts
 * import { call, type HelperName } from "tsbpf/asm";
 *
 * const clock: HelperName = "bpf_ktime_get_ns";
 * call(clock); // call bpf_ktime_get_ns#5
 * ```
 */
export type HelperName = keyof typeof helpers;

/**
 * Each helper's facts as literal types, for types that derive from them.
 *
 * @example
 * ```ts
 * import type { HelperTable } from "tsbpf/asm";
 *
 * const number: HelperTable["bpf_ktime_get_ns"]["number"] = 5;
 * ```
 */
export type HelperTable = typeof helpers;

/**
 * Every helper's name; the helper's number is its index plus 1.
 *
 * @example
 * ```ts
 * import { helperNames } from "tsbpf/asm";
 *
 * helperNames[0]; // "bpf_map_lookup_elem"
 * helperNames.filter((name) => name.startsWith("bpf_ringbuf_"));
 * ```
 */
export const helperNames = Object.keys(helpers) as readonly HelperName[];

/** True for the name of a helper. */
const isHelperName = (name: string): name is HelperName => Object.hasOwn(helpers, name);

/**
 * The number of a helper; undefined for an unknown name.
 *
 * @example
 * ```ts
 * import { helperNumber } from "tsbpf/asm";
 *
 * helperNumber("bpf_ktime_get_ns"); // 5
 * ```
 */
export const helperNumber = (name: string): number | undefined =>
  isHelperName(name) ? helpers[name].number : undefined;

/**
 * The name of a helper; undefined for an unknown number.
 *
 * @example
 * ```ts
 * import { helperName } from "tsbpf/asm";
 *
 * helperName(5); // "bpf_ktime_get_ns"
 * ```
 */
export const helperName = (number: number): HelperName | undefined => helperNames[number - 1];

/**
 * The facts of a helper: its number, the kinds of its arguments and result, and
 * the Linux release that brought it (linux/bpf.h, bpf-helpers(7)).
 *
 * @example
 * ```ts
 * import { helperFacts } from "tsbpf/asm";
 *
 * helperFacts("bpf_ringbuf_output").since; // "5.8"
 * ```
 */
export const helperFacts = (name: HelperName): HelperFacts => helpers[name];

export type { ArgumentKind, HelperFacts, ReturnKind } from "./kinds.ts";
