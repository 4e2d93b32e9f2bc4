/**
 * One BPF instruction as a plain value (RFC 9669, section 3).
 *
 * The fields are those of the encoding. `reference` is a number that is unknown until
 * the program is assembled or loaded: the place of a label, the file descriptor of a
 * map. `source` is the place in TypeScript that made the instruction.
 */

/** Number of a register: r0 to r10. The kernel's hidden r11 is excluded. */
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
  /** For `lddw` only: the high half, the second slot's immediate, signed 32-bit. */
  readonly immediateHigh?: number;
  /** Filled in by `assemble` (labels) or by the loader (the rest). */
  readonly reference?: Reference;
  /** The line of TypeScript that made this instruction. */
  readonly source?: SourceLocation;
}

/** A name in place of a number that is not known yet. */
export type Reference =
  /** A place in the same program: the target of a jump, or a subprogram to call. */
  | { readonly kind: "label"; readonly name: string }
  /** `lddw` of a map (BPF_PSEUDO_MAP_FD). */
  | { readonly kind: "map"; readonly name: string }
  /** `lddw` of an address inside a map's first value (BPF_PSEUDO_MAP_VALUE); offset in bytes. */
  | { readonly kind: "map-value"; readonly name: string; readonly offset: number }
  /** `lddw` of a subprogram's address, for helpers with callbacks (BPF_PSEUDO_FUNC). */
  | { readonly kind: "function"; readonly name: string }
  /** A call of a kernel function by its BTF name (BPF_PSEUDO_KFUNC_CALL). */
  | { readonly kind: "kernel-function"; readonly name: string }
  /**
   * A call that every verifier refuses, in place of an access to a type or field that the target kernel lacks: `name`.
   */
  | { readonly kind: "missing"; readonly name: string };

/** Marks the place of the next instruction. */
export interface Label {
  readonly label: string;
}

/** An element of a program in assembly: an instruction or a label. */
export type Item = Instruction | Label;

/** A place in a source file. */
export interface SourceLocation {
  /** Absolute path, or a `file:` URL. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** The line's text, where the program carries it, as object files do; else it is read from the file. */
  readonly text?: string;
}

/** A place as editors and terminals open it: `file:line:column`. */
export const placeName = ({ file, line, column }: SourceLocation): string => `${file}:${line}:${column}`;

/**
 * Whether the item is a label.
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
