import type { AttachType, ProgramType, ScalarKind } from "../../types/index.ts";
import type { Ipv6, Ipv6Field } from "../ipv6.ts";
import type { Field, Scalar } from "../scalar.ts";
import type { HelperMethod } from "../helpers.ts";

/**
 * A field of a program's context, as the kernel's verifier lets this hook see
 * it. `size` is the width of the access in bytes, which may exceed that of the
 * number: `user_port` is a 32-bit field that holds a 16-bit port.
 */
export interface ContextField<K extends ScalarKind = ScalarKind, W extends boolean = boolean> {
  readonly offset: number;
  readonly kind: K;
  readonly size: 1 | 2 | 4 | 8;
  readonly writable: W;
}

/** The fields that programs may read through a pointer from the context. */
export type PointerFields = Readonly<Record<string, ContextField>>;

/** An address that the kernel hands out through the context, for helpers to take, and to read `fields` through. */
export interface ContextPointer<T extends string = string, F extends PointerFields = PointerFields> {
  readonly offset: number;
  readonly pointer: T;
  readonly fields: F;
}

/** An IPv6 address, which the kernel's struct has as four words. */
export interface ContextArray<W extends boolean = boolean> {
  readonly element: ContextField<"be32", W>;
  readonly count: 4;
}

export type ContextFields = Readonly<Record<string, ContextField | ContextPointer | ContextArray>>;

/**
 * Where a program can be attached, and what its programs may do there: the
 * verifier's rules, for the type checker to read.
 */
export interface Hook<
  C extends ContextFields = ContextFields,
  R = unknown,
  H extends HelperMethod = HelperMethod,
  S extends string = string,
> {
  /** libbpf's section name. */
  readonly section: S;
  readonly type: ProgramType;
  readonly expectedAttachType?: AttachType;
  /** The kernel's name of the context's struct. */
  readonly contextType: string;
  readonly context: C;
  /** The numbers that a program may return, which are `R`'s; where absent, `R` is `AnyReturn`. */
  readonly returns?: readonly (R & number)[];
  readonly helpers: readonly H[];
}

/** A pointer of the kernel's, as helpers take it. */
export interface KernelPointer<T extends string> {
  readonly points: T;
}

/** A hook's context, as a program sees it. */
export type Context<C extends ContextFields> = {
  readonly [N in keyof C]: C[N] extends ContextField<infer K, infer W>
    ? W extends true
      ? Field<K>
      : Scalar<K>
    : C[N] extends ContextPointer<infer T, infer F>
      ? KernelPointer<T> & { readonly [M in keyof F]: F[M] extends ContextField<infer K> ? Scalar<K> : never }
      : C[N] extends ContextArray<infer W>
        ? W extends true
          ? Ipv6Field
          : Ipv6
        : never;
} & AnyContext;

/** The context as a whole, as helpers take it. */
export interface AnyContext extends KernelPointer<"context"> {}

/** What programs may return where any number of 32 bits is allowed. */
export type AnyReturn = number | Scalar<"u32"> | Scalar<"i32">;

/** A field that may only be read. */
export const readable = <K extends ScalarKind>(
  offset: number,
  kind: K,
  size: 1 | 2 | 4 | 8 = 4,
): ContextField<K, false> => ({ offset, kind, size, writable: false });
/** A field that may be read and written. */
export const writable = <K extends ScalarKind>(
  offset: number,
  kind: K,
  size: 1 | 2 | 4 | 8 = 4,
): ContextField<K, true> => ({ offset, kind, size, writable: true });
/** A pointer to a kernel object. */
export const pointer = <T extends string, F extends PointerFields = {}>(
  offset: number,
  points: T,
  fields: F = {} as F,
): ContextPointer<T, F> => ({ offset, pointer: points, fields });
