/**
 * One BPF instruction as a plain value (RFC 9669, section 3).
 *
 * The fields are those of the encoding. What is not known until the program is
 * put together or loaded (where a label is, which file descriptor a map has) is
 * a `reference`; what only people need (where in TypeScript the instruction was
 * made) is `source`.
 */

/** Number of a register: r0 to r10; 11 is the hidden one that only the kernel uses. */
export type RegisterNumber = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10;

/** One instruction as a plain value; an `lddw` is one, though it takes two slots. */
export interface Instruction {
  /** Operation, source bit, mode and class: 8 bits. */
  readonly opcode: number;
  /** Destination register: 4 bits. */
  readonly dst: number;
  /** Source register, or the kind of a call, a 64-bit immediate, …: 4 bits. */
  readonly src: number;
  /** Signed 16-bit offset. */
  readonly offset: number;
  /**
   * Signed 32-bit immediate. For the 64-bit immediate load (`lddw`), which takes
   * two slots, this is the low half.
   */
  readonly immediate: number;
  /** Only for `lddw`: the high half, the second slot's immediate, signed 32-bit. */
  readonly immediateHigh?: number;
  /** What is to be filled in, by `assemble` (labels) or by the loader (the rest). */
  readonly reference?: Reference;
  /** The line of TypeScript that made this instruction. */
  readonly source?: SourceLocation;
}

/** Something an instruction names and whose number is not known yet. */
export type Reference =
  /** A place in the same program: a jump's target, or a subprogram that is called. */
  | { readonly kind: "label"; readonly name: string }
  /** `lddw` of a map (BPF_PSEUDO_MAP_FD). */
  | { readonly kind: "map"; readonly name: string }
  /** `lddw` of an address inside a map's first value (BPF_PSEUDO_MAP_VALUE); offset in bytes. */
  | { readonly kind: "map-value"; readonly name: string; readonly offset: number }
  /** `lddw` of a subprogram's address, for a helper that calls back (BPF_PSEUDO_FUNC). */
  | { readonly kind: "function"; readonly name: string }
  /** A call of a kernel function by its BTF name (BPF_PSEUDO_KFUNC_CALL). */
  | { readonly kind: "kernel-function"; readonly name: string }
  /** A call that every verifier refuses, in place of an access to what the target kernel lacks; `name` says what. */
  | { readonly kind: "missing"; readonly name: string };

/** Marks the place of the instruction that follows it. */
export interface Label {
  readonly label: string;
}

/** What a program is written as: instructions, and labels between them. */
export type Item = Instruction | Label;

/** A place in a source file. */
export interface SourceLocation {
  /** Absolute path, or a `file:` address. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** The line's text, where it came with the program, as in an object file; else it is read from the file. */
  readonly text?: string;
}

/**
 * Tells a label from an instruction.
 *
 * @example
 * ```ts
 * import { isLabel, label } from "tsbpf/asm";
 *
 * isLabel(label("out")); // true
 * ```
 */
export function isLabel(item: Item): item is Label {
  return "label" in item;
}
