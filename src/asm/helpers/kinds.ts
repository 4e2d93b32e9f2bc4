/** A number of this width in a register; `be16` in network byte order. */
type Scalar = "u16" | "u32" | "u64" | "i32" | "i64" | "be16";

/**
 * An argument of a helper: a number, the program's context, a map, memory (the next
 * argument is usually its size), a function of the program, or a kernel struct;
 * `more`: further numbers, up to r5.
 */
export type ArgumentKind = Scalar | "context" | "map" | "memory" | "function" | "more" | `struct ${string}`;

/** A helper's result: none, a number, or an address that may be null. */
export type ReturnKind = Scalar | "void" | "memory" | `struct ${string}`;

/** A helper function: number, arguments, result, first release. */
export interface HelperFacts {
  readonly number: number;
  /** The Linux release that added it. Distributions backport helpers, so ask the kernel (`hasHelper`). */
  readonly since: string;
  readonly arguments: readonly ArgumentKind[];
  readonly returns: ReturnKind;
}
