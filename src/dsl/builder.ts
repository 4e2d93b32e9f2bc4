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
import type { Condition } from "./condition.ts";
import type { Hook } from "../hooks/index.ts";
import type { Helpers, HelperMethod, MethodsOf } from "./helpers/index.ts";
import type { KernelPointer } from "./kernel-pointer.ts";
import type { Fits } from "./mistakes.ts";
import type { Nullable } from "./nullable.ts";
import type { ReturnOf } from "./program.ts";
import type { InMemory, Init, Ref } from "./reference.ts";
import type { Operand, Scalar } from "./scalar.ts";
import type { Arguments, Parameters, Subprogram } from "./subprogram.ts";

/** Maps whose elements a program looks up by key. */
type LookupMap = MapDefinition<MapTypeWith<"lookup">>;

/** Maps whose elements come and go. */
type HashMap = MapDefinition<MapTypeWith<"delete">>;

/** A number that changes along the way. */
export interface Mutable<K extends ScalarKind> {
  /** What it is at this point. */
  get(): Scalar<K>;
  set<O>(value: O & Fits<K, O>): void;
}

/** What every program can do. `R` is what the program may return. */
export interface CoreBuilder<R> {
  /** Runs one branch or the other; values made in a branch are gone after it. */
  if(condition: Condition, then: () => void, otherwise?: () => void): void;
  /** One of two numbers. Both are computed before. */
  select<K extends ScalarKind>(condition: Condition, then: Scalar<K>, otherwise: Operand<K>): Scalar<K>;
  /** Runs the case of the number's value, or `otherwise`. */
  switch<K extends ScalarKind>(
    value: Scalar<K>,
    cases: readonly (readonly [Operand<K>, () => void])[],
    otherwise?: () => void,
  ): void;
  /** A number that changes along the way, such as a loop's. */
  variable<K extends ScalarKind>(schema: ScalarSchema<K>, initial: NoInfer<Operand<K>>): Mutable<K>;
  /** Runs `body` for 0, 1, … up to below `count`. The verifier has to see that the loop ends: give a number, or a scalar with a bound (Linux 5.3). */
  loop(count: number | Scalar<"u32">, body: (index: Scalar<"u32">) => void): void;
  /** Leaves the innermost loop. */
  break(): void;
  /** Goes on with the next round of the innermost loop. */
  continue(): void;
  /**
   * Runs `body` for 0, 1, … up to below `count`, by a helper that calls it
   * (Linux 5.17): the verifier looks at it once, however large `count` is. It
   * shares nothing with the program but `state`, a struct on the stack. It ends
   * the loop with `b.return(1)`. Gives the number of rounds, or a negative errno.
   */
  bpfLoop<S extends StructSchema>(
    count: number | Scalar<"u32">,
    state: InMemory<S>,
    body: (b: CoreBuilder<0 | 1>, index: Scalar<"u32">, state: Ref<S>) => void,
  ): Scalar<"i64">;
  /** The first of some places in memory for which a condition holds, or null. */
  first<S extends Schema>(
    candidates: readonly InMemory<S>[],
    condition: (candidate: Ref<S>) => Condition,
  ): Nullable<S, R>;
  /** The bytes of a packet from `offset` on, read as a struct; null where the packet ends before. */
  packet<S extends StructSchema>(context: PacketContext, schema: S, offset: number): Nullable<S, R>;
  /** Calls a function of its own in the bytecode. */
  call<P extends Parameters, K extends ScalarKind>(target: Subprogram<P, K>, values: Arguments<P>): Scalar<K>;
  /** True where two values in memory are alike, padding included. */
  equal<S extends Schema>(left: InMemory<S>, right: InMemory<NoInfer<S>>): Condition;
  /** A variable that user space shares: see `global`. */
  global<V extends Schema>(variable: GlobalVariable<V>): Ref<V>;
  /** Ends the program. */
  readonly return: (result: R) => void;
  /** A struct on the stack with all of its fields; padding is zero. */
  struct<S extends StructSchema>(schema: S, fields: Init<S>): Ref<S>;
  /** A value on the stack, all zero. */
  zeroed<S extends Schema>(schema: S): Ref<S>;
  /** Writes all of a value in memory. */
  assign<S extends Schema>(target: InMemory<S>, value: Init<NoInfer<S>>): void;
  /** Writes zeroes over all of a value in memory. */
  clear(target: InMemory<Schema>): void;
  /** The element under a key, or null. */
  lookup<M extends LookupMap>(map: M, key: Init<M["key"]>): Nullable<M["value"], R>;
  /** The same where a condition holds; null where not, and then it is not looked up. */
  lookupIf<M extends LookupMap>(condition: Condition, map: M, key: Init<M["key"]>): Nullable<M["value"], R>;
  /** Writes an element: 0, or a negative errno (bpf(2)). */
  update<M extends LookupMap>(map: M, key: Init<M["key"]>, value: Init<M["value"]>, flag?: UpdateFlag): Scalar<"i64">;
  /** Deletes an element: 0, or a negative errno. */
  delete<M extends HashMap>(map: M, key: Init<M["key"]>): Scalar<"i64">;
  /** Instructions of the raw assembler, with these numbers in r1, r2, …; gives what they leave in r0. They may change r1 to r5. */
  assembly(items: readonly Item[], ...inputs: readonly (Scalar<ScalarKind> | Constant)[]): Scalar<"u64">;
}

/** A builder with the core and the helpers named: what a step asks for that programs of any hook may share. */
export type BuilderWith<H extends HelperMethod = never, R = 1> = CoreBuilder<R> & Pick<Helpers<R>, H>;

/** The builder of a program on a hook. Helpers this hook lacks are typed as errors. */
export type Builder<K extends Hook> = HookBuilder<MethodsOf<K>, ReturnOf<K>, K["sections"][0]>;

type HookBuilder<H extends HelperMethod, R, Section extends string> = BuilderWith<H, R> & {
  readonly [N in Exclude<HelperMethod, H>]: Mistake<`the kernel has no helper ${N} for programs of ${Section}`>;
};

/** A context that gives access to a packet's bytes. */
interface PacketContext {
  readonly data: KernelPointer<"packet">;
  readonly dataEnd: KernelPointer<"packet_end">;
}
