/** A number of this width in a register; `be16` in network byte order. */
type Scalar = "u16" | "u32" | "u64" | "i32" | "i64" | "be16";

/**
 * What a helper takes in a register: a number, the program's context, a map,
 * memory that the next argument usually gives the size of, one of the program's
 * own functions, a kernel struct; `more`: as many further numbers as registers
 * are left.
 */
export type ArgumentKind = Scalar | "context" | "map" | "memory" | "function" | "more" | `struct ${string}`;

/** What a helper returns: nothing, a number, or an address that may be null. */
export type ReturnKind = Scalar | "void" | "memory" | `struct ${string}`;

/** The facts of a helper function. */
export interface HelperFacts {
  readonly number: number;
  /** The Linux release that brought it; distributions port helpers back, so ask the kernel (`hasHelper`). */
  readonly since: string;
  readonly arguments: readonly ArgumentKind[];
  readonly returns: ReturnKind;
}
