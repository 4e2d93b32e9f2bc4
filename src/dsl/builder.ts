import type { Item } from "../asm/instruction.ts";
import type { Value } from "../compiler/ir/ir.ts";
import {
  MapType, UpdateFlag, type Constant, type GlobalVariable, type MapDefinition, type ScalarKind, type ScalarSchema, type Schema, type StructSchema,
} from "../types/index.ts";
import type { Condition } from "./condition.ts";
import { valueType, type Emitter, type Region } from "./emitter.ts";
import { BuildError } from "./errors.ts";
import type { KernelPointer } from "./hooks/hook.ts";
import { callHelper, helperMethods, pointerValue, valueAddress, type HelperMethod, type Helpers } from "./helpers.ts";
import type { Fits, Mistake } from "./mistakes.ts";
import { Nullable, returnValue } from "./nullable.ts";
import { addressOf, equalMemory, memoryOf, reference, stackPlace, writeInit, zero, type InMemory, type Init, type Ref } from "./reference.ts";
import { operandValue, ScalarValue, type Operand, type Scalar } from "./scalar.ts";
import type { OpenBlock, Variable } from "./ssa.ts";
import { callSubprogram, loopCallback, type Arguments, type FunctionTable, type Parameters, type Subprogram } from "./subprogram.ts";

/** Maps whose elements a program looks up by key. */
type LookupMap = MapDefinition<
  | typeof MapType.HASH | typeof MapType.ARRAY | typeof MapType.PERCPU_HASH | typeof MapType.PERCPU_ARRAY
  | typeof MapType.LRU_HASH | typeof MapType.LRU_PERCPU_HASH | typeof MapType.LPM_TRIE
>;

/** Maps whose elements come and go. */
type HashMap = MapDefinition<
  | typeof MapType.HASH | typeof MapType.PERCPU_HASH | typeof MapType.LRU_HASH | typeof MapType.LRU_PERCPU_HASH | typeof MapType.LPM_TRIE
>;

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
  switch<K extends ScalarKind>(value: Scalar<K>, cases: readonly (readonly [Operand<K>, () => void])[], otherwise?: () => void): void;
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
  bpfLoop<S extends StructSchema>(count: number | Scalar<"u32">, state: InMemory<S>, body: (b: CoreBuilder<0 | 1>, index: Scalar<"u32">, state: Ref<S>) => void): Scalar<"i64">;
  /** The first of some places in memory for which a condition holds, or null. */
  first<S extends Schema>(candidates: readonly InMemory<S>[], condition: (candidate: Ref<S>) => Condition): Nullable<S, R>;
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
  /** Writes an element: 0, or a negative errno (bpf(2)). */
  update<M extends LookupMap>(map: M, key: Init<M["key"]>, value: Init<M["value"]>, flag?: UpdateFlag): Scalar<"i64">;
  /** Deletes an element: 0, or a negative errno. */
  delete<M extends HashMap>(map: M, key: Init<M["key"]>): Scalar<"i64">;
  /** Instructions of the raw assembler, with these numbers in r1, r2, …; gives what they leave in r0. They may change r1 to r5. */
  assembly(items: readonly Item[], ...inputs: readonly (Scalar<ScalarKind> | Constant)[]): Scalar<"u64">;
}

/** A builder with the core and the helpers named: what a step shared by several hooks asks for. */
export type BuilderWith<H extends HelperMethod = never, R = 1> = CoreBuilder<R> & Pick<Helpers<R>, H>;

/** The builder of a program on a hook: helpers that this hook has not are there as errors that say so. */
export type Builder<R, H extends HelperMethod, Section extends string = string> =
  CoreBuilder<R> & Pick<Helpers<R>, H>
  & { readonly [N in Exclude<HelperMethod, H>]: Mistake<`the kernel has no helper ${N} for programs of ${Section}`> };

/** A context that gives access to a packet's bytes. */
interface PacketContext {
  readonly data: KernelPointer<"packet">;
  readonly dataEnd: KernelPointer<"packet_end">;
}

interface LoopFrame {
  readonly next: OpenBlock;
  readonly after: OpenBlock;
}

/** The one class behind every builder; the types above say what a hook's programs may use of it. */
export class BuilderImplementation {
  readonly emitter: Emitter;
  readonly #helpers: readonly HelperMethod[];
  readonly #functions: FunctionTable;
  readonly #loops: LoopFrame[] = [];
  #result: (result: unknown) => Value;

  constructor(emitter: Emitter, helpers: readonly HelperMethod[], functions: FunctionTable) {
    this.emitter = emitter;
    this.#helpers = helpers;
    this.#functions = functions;
    this.#result = (result) => returnValue(emitter, result);
    for (const name of helpers) {
      const call = helperMethods[name] as (emitter: Emitter, ...args: unknown[]) => unknown;
      Object.defineProperty(this, name, {
        value: (...args: unknown[]) => {
          emitter.mark();
          return call(emitter, ...args);
        },
      });
    }
  }

  /** Says how results become SSA values, where they are not a program's. */
  returning(result: (result: unknown) => Value): void {
    this.#result = result;
  }

  if(condition: Condition, then: () => void, otherwise?: () => void): void {
    this.emitter.mark();
    const { ssa } = this.emitter;
    const thenBlock = ssa.createBlock();
    const otherwiseBlock = ssa.createBlock();
    const after = otherwise === undefined ? otherwiseBlock : ssa.createBlock();
    condition.branch(thenBlock, otherwiseBlock);
    ssa.enter(thenBlock);
    this.emitter.within(then);
    ssa.jump(after, undefined);
    if (otherwise !== undefined) {
      ssa.enter(otherwiseBlock);
      this.emitter.within(otherwise);
      ssa.jump(after, undefined);
    }
    ssa.enter(after);
  }

  select(condition: Condition, then: ScalarValue, otherwise: unknown): ScalarValue {
    this.emitter.mark();
    const variable = new MutableValue(this.emitter, then.kind, then);
    this.if(condition.not(), () => variable.set(otherwise));
    return variable.get();
  }

  switch(value: ScalarValue, cases: readonly (readonly [unknown, () => void])[], otherwise: () => void = () => {}): void {
    const [first, ...rest] = cases;
    if (first === undefined) return this.emitter.within(otherwise);
    this.if(value.eq(first[0]), first[1], () => this.switch(value, rest, otherwise));
  }

  variable(schema: ScalarSchema, initial: unknown): MutableValue {
    this.emitter.mark();
    return new MutableValue(this.emitter, schema.scalar, initial);
  }

  loop(count: unknown, body: (index: ScalarValue) => void): void {
    this.emitter.mark();
    const { ssa } = this.emitter;
    const end = new ScalarValue(this.emitter, "u32", operandValue(this.emitter, "u32", count));
    const index = new MutableValue(this.emitter, "u32", 0);
    const [header, inside, next, after] = [ssa.createBlock(), ssa.createBlock(), ssa.createBlock(), ssa.createBlock()];
    ssa.jump(header, undefined);
    ssa.enterLoop(header);
    index.get().lt(end).branch(inside, after);
    ssa.enter(inside);
    this.#loops.push({ next, after });
    this.emitter.within(() => body(index.get()));
    this.#loops.pop();
    ssa.jump(next, undefined);
    ssa.enter(next);
    index.set(index.get().add(1));
    ssa.jump(header, undefined);
    ssa.seal(header);
    ssa.enter(after);
  }

  break(): void {
    this.emitter.mark();
    this.emitter.ssa.jump(this.#innermost("break").after, this.emitter.source);
  }

  continue(): void {
    this.emitter.mark();
    this.emitter.ssa.jump(this.#innermost("continue").next, this.emitter.source);
  }

  #innermost(what: string): LoopFrame {
    const frame = this.#loops.at(-1);
    if (frame === undefined) throw new BuildError(`b.${what}() is called outside of a loop`, this.emitter.source);
    return frame;
  }

  return(result: unknown): void {
    this.emitter.mark();
    this.emitter.ssa.return(this.#result(result), this.emitter.source);
  }

  bpfLoop(count: unknown, state: unknown, body: (b: BuilderImplementation, index: ScalarValue, state: unknown) => void): ScalarValue {
    this.emitter.mark();
    const memory = memoryOf(state);
    if (memory === undefined) throw new BuildError("b.bpfLoop() takes its state as a struct in memory", this.emitter.source);
    const rounds = this.emitter.emit({ op: "extend", bits: 32, signed: false, operand: operandValue(this.emitter, "u32", count) }, "i64");
    const name = loopCallback(this.#functions, this.#functions.freeName(`${this.emitter.ssa.name}_loop`), this.#helpers, memory.schema, body);
    this.emitter.mark();
    const result = callHelper(this.emitter, "bpf_loop", [
      rounds, this.emitter.emit({ op: "function", name }, "ptr"), addressOf(this.emitter, memory.place), this.emitter.constant("i64", 0n),
    ], { clobbers: ["map", "stack"] });
    return new ScalarValue(this.emitter, "i64", result);
  }

  first(candidates: readonly InMemory<Schema>[], condition: (candidate: Ref<Schema>) => Condition): unknown {
    this.emitter.mark();
    const schema = memoryOf(candidates[0])?.schema;
    if (schema === undefined) throw new BuildError("b.first() takes at least one place in memory", this.emitter.source);
    return Nullable.first(this.emitter, schema, candidates, condition);
  }

  packet({ data, dataEnd }: PacketContext, schema: StructSchema, offset: number): unknown {
    this.emitter.mark();
    return Nullable.packet(this.emitter, schema, pointerValue(this.emitter, data), pointerValue(this.emitter, dataEnd), offset);
  }

  call(target: Subprogram, values: Readonly<Record<string, unknown>>): ScalarValue {
    this.emitter.mark();
    return callSubprogram(this.emitter, this.#functions, target, values);
  }

  equal(left: unknown, right: unknown): Condition {
    this.emitter.mark();
    const [a, b] = [memoryOf(left), memoryOf(right)];
    if (a === undefined || b === undefined || a.schema !== b.schema) throw new BuildError("b.equal() takes two values of one schema in memory", this.emitter.source);
    return equalMemory(this.emitter, a.place, b.place, a.schema.size);
  }

  global(variable: GlobalVariable<Schema>): unknown {
    this.emitter.mark();
    const address = this.emitter.emit({ op: "map-value", map: variable, offset: 0 }, "ptr");
    return reference(this.emitter, variable.value, { space: "map", address, offset: 0, align: 8, region: this.emitter.region });
  }

  struct(schema: StructSchema, fields: unknown): unknown {
    this.emitter.mark();
    const place = stackPlace(this.emitter, schema);
    writeInit(this.emitter, schema, place, fields);
    return reference(this.emitter, schema, place);
  }

  zeroed(schema: Schema): unknown {
    this.emitter.mark();
    const place = stackPlace(this.emitter, schema);
    zero(this.emitter, place, schema.size);
    return reference(this.emitter, schema, place);
  }

  assign(target: unknown, value: unknown): void {
    this.emitter.mark();
    const memory = memoryOf(target);
    if (memory === undefined) throw new BuildError("b.assign() takes a reference to memory first", this.emitter.source);
    writeInit(this.emitter, memory.schema, memory.place, value);
  }

  clear(target: unknown): void {
    this.emitter.mark();
    const memory = memoryOf(target);
    if (memory === undefined) throw new BuildError("b.clear() takes a reference to memory", this.emitter.source);
    zero(this.emitter, memory.place, memory.schema.size);
  }

  lookup(map: MapDefinition, key: unknown): unknown {
    this.emitter.mark();
    const address = callHelper(this.emitter, "bpf_map_lookup_elem", [
      this.emitter.emit({ op: "map", map }, "ptr"), valueAddress(this.emitter, map.key, key),
    ], { removable: true, reads: [1] }, "ptr");
    return Nullable.lookup(this.emitter, map.value, address);
  }

  update(map: MapDefinition, key: unknown, value: unknown, flag: UpdateFlag = UpdateFlag.ANY): ScalarValue {
    this.emitter.mark();
    const result = callHelper(this.emitter, "bpf_map_update_elem", [
      this.emitter.emit({ op: "map", map }, "ptr"), valueAddress(this.emitter, map.key, key),
      valueAddress(this.emitter, map.value, value), this.emitter.constant("i64", BigInt(flag)),
    ], { reads: [1, 2], clobbers: ["map"] });
    return new ScalarValue(this.emitter, "i64", result);
  }

  delete(map: MapDefinition, key: unknown): ScalarValue {
    this.emitter.mark();
    const result = callHelper(this.emitter, "bpf_map_delete_elem", [
      this.emitter.emit({ op: "map", map }, "ptr"), valueAddress(this.emitter, map.key, key),
    ], { reads: [1], clobbers: ["map"] });
    return new ScalarValue(this.emitter, "i64", result);
  }

  assembly(items: readonly Item[], ...inputs: readonly unknown[]): ScalarValue {
    this.emitter.mark();
    const values = inputs.map((input) => {
      if (input instanceof ScalarValue) return input.use();
      const { constant } = input as Constant;
      return operandValue(this.emitter, constant, input);
    });
    return new ScalarValue(this.emitter, "u64", this.emitter.emit({ op: "assembly", items, arguments: values }, "i64"));
  }
}

class MutableValue {
  readonly #emitter: Emitter;
  readonly #kind: ScalarKind;
  readonly #variable: Variable;
  readonly #region: Region;

  constructor(emitter: Emitter, kind: ScalarKind, initial: unknown) {
    this.#emitter = emitter;
    this.#kind = kind;
    this.#variable = { type: valueType(kind) };
    this.#region = emitter.region;
    this.set(initial);
  }

  get(): ScalarValue {
    this.#emitter.mark();
    this.#emitter.checkAlive(this.#region, "a variable");
    return new ScalarValue(this.#emitter, this.#kind, this.#emitter.ssa.read(this.#variable));
  }

  set(value: unknown): void {
    this.#emitter.mark();
    this.#emitter.checkAlive(this.#region, "a variable");
    this.#emitter.ssa.write(this.#variable, operandValue(this.#emitter, this.#kind, value));
  }
}
