import type { Item } from "../asm/index.ts";
import type {
  Constant,
  GlobalVariable,
  MapDefinition,
  MapTypeWith,
  Mistake,
  ScalarKind,
  ScalarSchema,
  Schema,
  StructSchema,
  UpdateFlag,
} from "../types/index.ts";
import type { Callback } from "./callback.ts";
import type { Condition } from "./condition.ts";
import type { Hook } from "../hooks/index.ts";
import type { Helpers, HelperMethod, MethodsOf } from "./helpers/index.ts";
import type { insteadOnPackets } from "./helpers/missing.ts";
import type { KernelPointer } from "./kernel-pointer.ts";
import type { Fits } from "./mistakes.ts";
import type { Nullable } from "./nullable.ts";
import type { InMemory, Init, Ref } from "./reference.ts";
import type { ReturnOf } from "./returns.ts";
import type { Operand, Scalar } from "./scalar.ts";
import type { Arguments, Parameters, Subprogram } from "./subprogram-call.ts";

/** Maps whose elements a program looks up by key. */
type LookupMap = MapDefinition<MapTypeWith<"lookup">>;

/** Maps whose elements come and go. */
type HashMap = MapDefinition<MapTypeWith<"delete">>;

/** A number that may change while the program runs. */
export interface Mutable<K extends ScalarKind> {
  /** Its value at this point. */
  get(): Scalar<K>;
  set<O>(value: O & Fits<K, O>): void;
}

/**
 * The operations of every program, on any hook. `R` is the type of its result.
 *
 * @example
 * ```ts
 * import { array, cgroup, PROCEED, Protocol, u64 } from "tsbpf";
 *
 * const connects = array("connects", { value: u64, maxEntries: 1 });
 * const connect4 = cgroup.connect4("connect4", (b, ctx) => {
 *   b.if(ctx.protocol.eq(Protocol.TCP), () => {
 *     b.lookup(connects, 0).ifFound((count) => count.value.atomicAdd(1));
 *   });
 *   return PROCEED;
 * });
 * ```
 */
export interface CoreBuilder<R> {
  /** Runs one branch or the other. Values made in a branch end with it. */
  if(condition: Condition, then: Callback, otherwise?: Callback): void;
  /** One of two numbers; both are computed first. */
  select<K extends ScalarKind>(condition: Condition, then: Scalar<K>, otherwise: Operand<K>): Scalar<K>;
  /** Runs the case that equals the number, or `otherwise`. */
  switch<K extends ScalarKind>(
    value: Scalar<K>,
    cases: readonly (readonly [Operand<K>, Callback])[],
    otherwise?: Callback,
  ): void;
  /** A number that may change while the program runs, such as a sum in a loop. */
  variable<K extends ScalarKind>(schema: ScalarSchema<K>, initial: NoInfer<Operand<K>>): Mutable<K>;
  /**
   * Runs `body` for 0 to `count` - 1. The verifier must see the end: pass a number, or a bounded scalar (Linux 5.3).
   */
  loop(count: number | Scalar<"u32">, body: Callback<[index: Scalar<"u32">]>): void;
  /** Leaves the innermost loop. */
  break(): void;
  /** Starts the next round of the innermost loop. */
  continue(): void;
  /**
   * Runs `body` for 0 to `count` - 1 by a helper that calls it (Linux 5.17): the
   * verifier checks it once, however large `count` is. It shares only `state`, a
   * struct on the stack, with the program, and `b.return(1)` ends the loop.
   * Returns the number of rounds, or a negative errno.
   */
  bpfLoop<S extends StructSchema>(
    count: number | Scalar<"u32">,
    state: InMemory<S>,
    body: Callback<[b: CoreBuilder<0 | 1>, index: Scalar<"u32">, state: Ref<S>]>,
  ): Scalar<"i64">;
  /** The first place in memory that meets a condition, or null. */
  first<S extends Schema>(
    candidates: readonly InMemory<S>[],
    condition: (candidate: Ref<S>) => Condition,
  ): Nullable<S, R>;
  /** The bytes of a packet from `offset` on, as a struct; null where the packet is too short. */
  packet<S extends StructSchema>(context: PacketContext, schema: S, offset: number): Nullable<S, R>;
  /** Calls a subprogram. */
  call<P extends Parameters, K extends ScalarKind>(target: Subprogram<P, K>, values: Arguments<P>): Scalar<K>;
  /** True where two values in memory have the same bytes, padding included. */
  equal<S extends Schema>(left: InMemory<S>, right: InMemory<NoInfer<S>>): Condition;
  /** A variable that the program shares with user space: see `global`. */
  global<V extends Schema>(variable: GlobalVariable<V>): Ref<V>;
  /** Ends the program. */
  readonly return: (result: R) => void;
  /** A struct on the stack with every field set; padding is zero. */
  struct<S extends StructSchema>(schema: S, fields: Init<S>): Ref<S>;
  /** A value on the stack, all zero. */
  zeroed<S extends Schema>(schema: S): Ref<S>;
  /** Writes a whole value in memory. */
  assign<S extends Schema>(target: InMemory<S>, value: Init<NoInfer<S>>): void;
  /** Writes zeroes over a whole value in memory. */
  clear(target: InMemory<Schema>): void;
  /** The element under a key, or null. */
  lookup<M extends LookupMap>(map: M, key: Init<M["key"]>): Nullable<M["value"], R>;
  /** Looks the key up where a condition holds; null elsewhere. */
  lookupIf<M extends LookupMap>(condition: Condition, map: M, key: Init<M["key"]>): Nullable<M["value"], R>;
  /** Writes an element: 0, or a negative errno (bpf(2)). */
  update<M extends LookupMap>(map: M, key: Init<M["key"]>, value: Init<M["value"]>, flag?: UpdateFlag): Scalar<"i64">;
  /** Deletes an element: 0, or a negative errno. */
  delete<M extends HashMap>(map: M, key: Init<M["key"]>): Scalar<"i64">;
  /** Inserts raw assembly: inputs in r1, r2, …, result in r0. It may change r1 to r5. */
  assembly(items: readonly Item[], ...inputs: readonly (Scalar<ScalarKind> | Constant)[]): Scalar<"u64">;
}

/** The core and the named helpers: the builder of steps that programs of several hooks share. */
export type BuilderWith<H extends HelperMethod = never, R = 1> = CoreBuilder<R> & Pick<Helpers<R>, H>;

/** The builder of a program on a hook. Helpers this hook lacks are typed as errors. */
export type Builder<K extends Hook> = HookBuilder<MethodsOf<K>, ReturnOf<K>, K["sections"][0]>;

type HookBuilder<H extends HelperMethod, R, Section extends string> = BuilderWith<H, R> & {
  readonly [N in Exclude<
    HelperMethod,
    H
  >]: Mistake<`the kernel has no helper ${N} for programs of ${Section}${Instead<N, Section>}`>;
};

/** What to call in place of a helper that programs of a section lack, where something serves. */
type Instead<N, Section extends string> = Section extends `cgroup_skb/${string}`
  ? N extends keyof typeof insteadOnPackets
    ? `: call ${(typeof insteadOnPackets)[N]}`
    : ""
  : "";

/** A context with the bounds of a packet. */
interface PacketContext {
  readonly data: KernelPointer<"packet">;
  readonly dataEnd: KernelPointer<"packet_end">;
}
