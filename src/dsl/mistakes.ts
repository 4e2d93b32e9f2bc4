/** Type errors in words: the type of a parameter becomes a `Mistake` where its argument does not fit. */
import type { BigEndianKind, Mistake, ScalarKind, WideKind } from "../types/index.ts";

/** The kind of a scalar or constant. */
type KindOf<O> = O extends { readonly kind: infer J extends ScalarKind }
  ? J
  : O extends { readonly constant: infer J extends ScalarKind }
    ? J
    : never;

/** `unknown` where a value of type `O` fits kind `K`, else a `Mistake` that says why. */
export type Fits<K extends ScalarKind, O> = [O] extends [number]
  ? [K] extends [BigEndianKind]
    ? Mistake<`a plain number has no byte order: write ${K}(…)`>
    : unknown
  : [O] extends [bigint]
    ? [K] extends ["u64" | "i64"]
      ? unknown
      : [K] extends [WideKind]
        ? Mistake<`a plain number has no byte order: write ${K}(…)`>
        : Mistake<`a bigint does not fit ${K}: write a number`>
    : [O] extends [string]
      ? Mistake<
          K extends "be32"
            ? 'text is no number: write ipv4("…")'
            : `text is no number: a scalar of kind ${K} is expected`
        >
      : [KindOf<O>] extends [never]
        ? Mistake<`expected a scalar of kind ${K}: check a lookup for null, then name a field`>
        : [KindOf<O>] extends [K]
          ? unknown
          : [K] extends [BigEndianKind]
            ? Mistake<`${K} and ${KindOf<O>} do not mix: use .toHost()`>
            : [KindOf<O>] extends [BigEndianKind]
              ? Mistake<`${KindOf<O>} and ${K} do not mix: use .toHost()`>
              : Mistake<`${K} and ${KindOf<O>} do not mix: convert one with .to(…)`>;
