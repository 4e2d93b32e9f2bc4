/**
 * The intermediate form between the DSL and the assembler: functions of basic
 * blocks in SSA form, with block parameters in place of phi instructions.
 *
 * It is plain data. A pass takes a function and returns a function; it never
 * changes its argument.
 *
 * Every pass and the lowering rely on these rules about registers:
 * - an `i32` sits in a 64-bit register whose upper half is zero. All 32-bit
 *   instructions and loads of up to 4 bytes leave it so. Narrower numbers are
 *   `i32`s; the front end masks or sign-extends them as the source language
 *   requires;
 * - an `i64` and a `ptr` take the whole register;
 * - the operation decides whether a value is read as signed.
 */
import type { Item, SourceLocation } from "../../asm/index.ts";
import type { MapDefinition } from "../../types/index.ts";

export type ValueType = "i32" | "i64" | "ptr";

/** An SSA value: defined once, by an instruction or as a block's parameter. Compared by identity of `id`. */
export interface Value {
  readonly id: number;
  readonly type: ValueType;
}

export type BinaryOperator =
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "mod"
  | "sdiv"
  | "smod"
  | "and"
  | "or"
  | "xor"
  | "lsh"
  | "rsh"
  | "arsh";

/** `==`, `!=`, unsigned and signed orders, and `set`: any common bit. */
export type Comparison = "eq" | "ne" | "lt" | "le" | "gt" | "ge" | "slt" | "sle" | "sgt" | "sge" | "set";

/** Bytes of a memory access. */
export type AccessSize = 1 | 2 | 4 | 8;

/**
 * The memory that an address points into. Accesses to different spaces never overlap.
 * `packet` and `map` memory may be changed by others at any time and by calls;
 * `context` only by this program's own stores; `stack` by stores and by helpers
 * that receive an address in it.
 */
export type Space = "context" | "stack" | "map" | "packet" | "kernel";

/** A piece of the stack frame. Slots with disjoint lifetimes may share bytes. */
export interface StackSlot {
  readonly id: number;
  /** Bytes. */
  readonly size: number;
  /** 1, 2, 4 or 8. */
  readonly align: number;
  /** Its name in the source, for listings and for the stack limit error. */
  readonly name: string;
}

/**
 * The operation of an instruction. Operands are values; `address` operands are
 * `ptr`s with a constant offset in bytes, as in the machine's own accesses.
 */
export type Operation =
  /** A number; sign-extended to 64 bits for i64, zero-extended for i32. As a ptr, only 0: null. */
  | { readonly op: "constant"; readonly value: bigint }
  /** Both operands have the result's type. `ptr` add/sub take an i64 on the right. */
  | { readonly op: "binary"; readonly operator: BinaryOperator; readonly left: Value; readonly right: Value }
  | { readonly op: "negate"; readonly operand: Value }
  /** Reverses the low `bits` of the operand; those above become zero. */
  | { readonly op: "byteswap"; readonly bits: 16 | 32 | 64; readonly operand: Value }
  /** Widens the low `bits` of the operand to the result's type. */
  | { readonly op: "extend"; readonly bits: 8 | 16 | 32; readonly signed: boolean; readonly operand: Value }
  /** i64 to i32: the low half. */
  | { readonly op: "truncate"; readonly operand: Value }
  /** `signed` only where `size` is less than the result. */
  | {
      readonly op: "load";
      readonly size: AccessSize;
      readonly signed: boolean;
      readonly space: Space;
      readonly address: Value;
      readonly offset: number;
    }
  | {
      readonly op: "store";
      readonly size: AccessSize;
      readonly space: Space;
      readonly address: Value;
      readonly offset: number;
      readonly value: Value;
    }
  /** Read-modify-write in one step; with `fetch` the result is the old value. */
  | {
      readonly op: "atomic";
      readonly operator: "add" | "and" | "or" | "xor" | "exchange";
      readonly fetch: boolean;
      readonly size: 4 | 8;
      readonly space: Space;
      readonly address: Value;
      readonly offset: number;
      readonly value: Value;
    }
  /** Gives the old value, and replaces it if it equals `expected`. */
  | {
      readonly op: "compare-exchange";
      readonly size: 4 | 8;
      readonly space: Space;
      readonly address: Value;
      readonly offset: number;
      readonly expected: Value;
      readonly value: Value;
    }
  /** The address of a stack slot. */
  | { readonly op: "stack"; readonly slot: StackSlot }
  /** The kernel's pointer to a map, as helpers take it. */
  | { readonly op: "map"; readonly map: MapDefinition }
  /** The address of byte `offset` of an array map's first value. */
  | { readonly op: "map-value"; readonly map: MapDefinition; readonly offset: number }
  /** The address of a subprogram, for helpers with callbacks. */
  | { readonly op: "function"; readonly name: string }
  /** A helper by number. `effects` describes its use of memory. */
  | {
      readonly op: "call";
      readonly helper: number;
      readonly name: string;
      readonly arguments: readonly Value[];
      readonly effects: Effects;
    }
  | { readonly op: "call-function"; readonly name: string; readonly arguments: readonly Value[] }
  | { readonly op: "call-kernel"; readonly name: string; readonly arguments: readonly Value[] }
  /** `left <comparison> right` as 0 or 1, an i32. */
  | { readonly op: "compare"; readonly comparison: Comparison; readonly left: Value; readonly right: Value }
  /** Instructions of the raw assembler: inputs in r1 to r5, result in r0; may change r1 to r5 and memory. */
  | {
      readonly op: "assembly";
      readonly items: readonly Item[];
      readonly arguments: readonly Value[];
    };

export type Effects = {
  /** Depends only on its arguments; may be removed when its result is unused. */
  readonly pure?: boolean;
  /** May be removed when its result is unused, but gives another result each time (time, random numbers, a lookup). */
  readonly removable?: boolean;
  /** Spaces it writes to, beyond the stack slots whose address it receives for writing. */
  readonly clobbers?: readonly Space[];
  /**
   * Positions of pointer arguments that it only reads. A stack slot in any other position counts as written and
   * escaping.
   */
  readonly reads?: readonly number[];
};

export interface IrInstruction {
  /** Absent where there is no result, or the result is unused. */
  readonly result?: Value;
  readonly operation: Operation;
  readonly source?: SourceLocation;
}

/** A jump to a block, with arguments for its parameters. */
export interface Target {
  readonly block: number;
  readonly arguments: readonly Value[];
}

export type Terminator = (
  | { readonly op: "jump"; readonly target: Target }
  | {
      readonly op: "branch";
      readonly comparison: Comparison;
      readonly left: Value;
      readonly right: Value;
      readonly then: Target;
      readonly else: Target;
    }
  | { readonly op: "return"; readonly value: Value }
) & { readonly source?: SourceLocation };

export interface Block {
  readonly id: number;
  readonly parameters: readonly Value[];
  readonly instructions: readonly IrInstruction[];
  readonly terminator: Terminator;
}

export interface IrFunction {
  readonly name: string;
  /** At most five, in r1 to r5. The main function's only parameter is the context. */
  readonly parameters: readonly Value[];
  /** The first is the entry; nothing jumps to it. All others are reachable. */
  readonly blocks: readonly Block[];
}

/** A main function and the subprograms it calls. */
export interface IrModule {
  readonly functions: readonly [IrFunction, ...IrFunction[]];
}
