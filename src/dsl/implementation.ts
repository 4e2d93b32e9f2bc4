import type { Item } from "../asm/index.ts";
import type { Value } from "../compiler/index.ts";
import {
  schemaDifference,
  UpdateFlag,
  type Constant,
  type GlobalVariable,
  type MapDefinition,
  type ScalarSchema,
  type Schema,
  type StructSchema,
} from "../types/index.ts";
import { nothing, runCallback, type Callback } from "./callback.ts";
import { givenCondition, type Condition } from "./condition.ts";
import { shown } from "./described.ts";
import type { Emitter } from "./emitter.ts";
import { BuildError } from "./errors.ts";
import type { FunctionTable } from "./functions.ts";
import { callHelper, mapAddress, valueAddress } from "./helpers/call.ts";
import { helperMethods, type HelperMethod } from "./helpers/index.ts";
import { whyMissing } from "./helpers/missing.ts";
import { pointerValue } from "./kernel-pointer.ts";
import { MutableValue } from "./mutable.ts";
import { NullableValue } from "./nullable.ts";
import {
  addressOf,
  equalMemory,
  memoryOf,
  reference,
  stackPlace,
  writeInit,
  zero,
  type InMemory,
  type Ref,
} from "./reference.ts";
import { operandValue, ScalarValue } from "./scalar.ts";
import type { OpenBlock } from "./ssa.ts";
import { callSubprogram, type Subprogram } from "./subprogram-call.ts";

interface LoopFrame {
  readonly next: OpenBlock;
  readonly after: OpenBlock;
}

const allMethods = Object.keys(helperMethods) as readonly HelperMethod[];

/** The class behind every builder. The types in builder.ts restrict it to what a hook allows. */
export class BuilderImplementation {
  readonly emitter: Emitter;
  readonly #helpers: readonly HelperMethod[];
  readonly #functions: FunctionTable<BuilderImplementation>;
  readonly #loops: LoopFrame[] = [];

  constructor(emitter: Emitter, helpers: readonly HelperMethod[], functions: FunctionTable<BuilderImplementation>) {
    this.emitter = emitter;
    this.#helpers = helpers;
    this.#functions = functions;
    for (const name of allMethods) {
      if (helpers.includes(name)) continue;
      Object.defineProperty(this, name, {
        value: function missing(): never {
          emitter.mark(missing);
          throw new BuildError(whyMissing(name, functions.hook), emitter.source);
        },
      });
    }
    for (const name of helpers) {
      const call = helperMethods[name] as (emitter: Emitter, ...args: unknown[]) => unknown;
      Object.defineProperty(this, name, {
        value: function method(...args: unknown[]): unknown {
          emitter.mark(method);
          return call(emitter, ...args);
        },
      });
    }
  }

  if(condition: Condition, then: Callback, otherwise?: Callback): void {
    this.emitter.mark(this.if);
    const { ssa } = this.emitter;
    const decision = givenCondition(this.emitter, "b.if()", condition);
    const thenBlock = ssa.createBlock();
    const otherwiseBlock = ssa.createBlock();
    const after = otherwise === undefined ? otherwiseBlock : ssa.createBlock();
    decision.branch(thenBlock, otherwiseBlock);
    ssa.enter(thenBlock);
    runCallback(this.emitter, "b.if()", then, nothing);
    ssa.jump(after, undefined);
    if (otherwise !== undefined) {
      ssa.enter(otherwiseBlock);
      runCallback(this.emitter, "b.if()", otherwise, nothing);
      ssa.jump(after, undefined);
    }
    ssa.enter(after);
  }

  select(condition: Condition, then: ScalarValue, otherwise: unknown): ScalarValue {
    this.emitter.mark(this.select);
    givenCondition(this.emitter, "b.select()", condition);
    if (!(then instanceof ScalarValue))
      throw new BuildError(
        `b.select() takes a number of the running program second, such as ctx.protocol, not ${shown(then)}`,
        this.emitter.source,
      );
    const variable = new MutableValue(this.emitter, then.kind, then);
    this.if(condition.not(), () => variable.set(otherwise));
    return variable.get();
  }

  switch(value: ScalarValue, cases: readonly (readonly [unknown, Callback])[], otherwise: Callback = () => {}): void {
    this.emitter.mark(this.switch);
    const [first, ...rest] = cases;
    if (first === undefined) return runCallback(this.emitter, "b.switch()", otherwise, nothing);
    this.if(value.eq(first[0]), first[1], () => this.switch(value, rest, otherwise));
  }

  variable(schema: ScalarSchema, initial: unknown): MutableValue {
    this.emitter.mark(this.variable);
    return new MutableValue(this.emitter, schema.scalar, initial);
  }

  loop(count: unknown, body: Callback<[index: ScalarValue]>): void {
    this.emitter.mark(this.loop);
    const { ssa } = this.emitter;
    const end = new ScalarValue(this.emitter, "u32", operandValue(this.emitter, "u32", count));
    const index = new MutableValue(this.emitter, "u32", 0);
    const [header, inside, next, after] = [ssa.createBlock(), ssa.createBlock(), ssa.createBlock(), ssa.createBlock()];
    ssa.jump(header, undefined);
    ssa.enterLoop(header);
    index.get().lt(end).branch(inside, after);
    ssa.enter(inside);
    this.#loops.push({ next, after });
    runCallback(this.emitter, "b.loop()", body, () => [index.get()]);
    this.#loops.pop();
    ssa.jump(next, undefined);
    ssa.enter(next);
    this.emitter.resume(this.loop);
    index.set(index.get().add(1));
    ssa.jump(header, undefined);
    ssa.seal(header);
    ssa.enter(after);
  }

  break(): void {
    this.emitter.mark(this.break);
    this.emitter.ssa.jump(this.#innermost("break").after, this.emitter.source);
  }

  continue(): void {
    this.emitter.mark(this.continue);
    this.emitter.ssa.jump(this.#innermost("continue").next, this.emitter.source);
  }

  #innermost(what: string): LoopFrame {
    const frame = this.#loops.at(-1);
    if (frame === undefined) throw new BuildError(`b.${what}() is called outside of a loop`, this.emitter.source);
    return frame;
  }

  return(result: unknown): void {
    this.emitter.mark(this.return);
    this.emitter.ssa.return(this.emitter.result(result), this.emitter.source);
  }

  bpfLoop(
    count: unknown,
    state: unknown,
    body: Callback<[b: BuilderImplementation, index: ScalarValue, state: unknown]>,
  ): ScalarValue {
    this.emitter.mark(this.bpfLoop);
    const memory = memoryOf(state);
    if (memory === undefined)
      throw new BuildError("b.bpfLoop() takes its state as a struct in memory", this.emitter.source);
    const rounds = this.emitter.emit(
      { op: "extend", bits: 32, signed: false, operand: operandValue(this.emitter, "u32", count) },
      "i64",
    );
    const name = this.#loopCallback(memory.schema, body);
    this.emitter.resume(this.bpfLoop);
    const result = callHelper(
      this.emitter,
      "bpf_loop",
      [
        rounds,
        this.emitter.emit({ op: "function", name }, "ptr"),
        addressOf(this.emitter, memory.place),
        this.emitter.constant("i64", 0n),
      ],
      { clobbers: ["map", "stack"] },
    );
    return new ScalarValue(this.emitter, "i64", result);
  }

  /** Writes a loop's body as the function that `bpf_loop` calls with the index and the state; 1 ends the loop. */
  #loopCallback(state: Schema, body: Callback<[b: BuilderImplementation, index: ScalarValue, state: unknown]>): string {
    const name = this.#functions.freeName(`${this.emitter.ssa.name}_loop`);
    return this.#functions.name(body, name, () =>
      this.#functions.write(name, ["i32", "ptr"], this.#helpers, (builder, emitter, [index, address]) => {
        emitter.result = (value) => operandValue(emitter, "u64", value);
        const place = { space: "stack", address: address!, offset: 0, align: 8, region: emitter.region } as const;
        const round = new ScalarValue(emitter, "u32", index!);
        runCallback(emitter, "b.bpfLoop()", body, () => [builder, round, reference(emitter, state, place)]);
        return emitter.constant("i64", 0n);
      }),
    );
  }

  first(candidates: readonly InMemory<Schema>[], condition: (candidate: Ref<Schema>) => Condition): unknown {
    this.emitter.mark(this.first);
    const schema = memoryOf(candidates[0])?.schema;
    if (schema === undefined) throw new BuildError("b.first() takes at least one place in memory", this.emitter.source);
    return NullableValue.first(this.emitter, schema, candidates, condition);
  }

  packet({ data, dataEnd }: { data: object; dataEnd: object }, schema: StructSchema, offset: number): unknown {
    this.emitter.mark(this.packet);
    return NullableValue.packet(
      this.emitter,
      schema,
      pointerValue(this.emitter, data),
      pointerValue(this.emitter, dataEnd),
      offset,
    );
  }

  call(target: Subprogram, values: Readonly<Record<string, unknown>>): ScalarValue {
    this.emitter.mark(this.call);
    return callSubprogram(this.emitter, this.#functions, target, values);
  }

  equal(left: unknown, right: unknown): Condition {
    this.emitter.mark(this.equal);
    const [a, b] = [memoryOf(left), memoryOf(right)];
    if (a === undefined || b === undefined)
      throw new BuildError("b.equal() takes two values in memory", this.emitter.source);
    const difference = schemaDifference(a.schema, b.schema);
    if (difference !== undefined)
      throw new BuildError(`b.equal() takes two values of one schema: ${difference}`, this.emitter.source);
    return equalMemory(this.emitter, a.place, b.place, a.schema.size);
  }

  global(variable: GlobalVariable<Schema>): unknown {
    this.emitter.mark(this.global);
    const address = this.emitter.emit({ op: "map-value", map: variable, offset: 0 }, "ptr");
    return reference(this.emitter, variable.value, {
      space: "map",
      address,
      offset: 0,
      align: 8,
      region: this.emitter.region,
    });
  }

  struct(schema: StructSchema, fields: unknown): unknown {
    this.emitter.mark(this.struct);
    const place = stackPlace(this.emitter, schema);
    writeInit(this.emitter, schema, place, fields);
    return reference(this.emitter, schema, place);
  }

  zeroed(schema: Schema): unknown {
    this.emitter.mark(this.zeroed);
    const place = stackPlace(this.emitter, schema);
    zero(this.emitter, place, schema.size);
    return reference(this.emitter, schema, place);
  }

  assign(target: unknown, value: unknown): void {
    this.emitter.mark(this.assign);
    const memory = memoryOf(target);
    if (memory === undefined) throw new BuildError("b.assign() takes a reference to memory first", this.emitter.source);
    writeInit(this.emitter, memory.schema, memory.place, value);
  }

  clear(target: unknown): void {
    this.emitter.mark(this.clear);
    const memory = memoryOf(target);
    if (memory === undefined) throw new BuildError("b.clear() takes a reference to memory", this.emitter.source);
    zero(this.emitter, memory.place, memory.schema.size);
  }

  lookup(map: MapDefinition, key: unknown): unknown {
    this.emitter.mark(this.lookup);
    return NullableValue.lookup(this.emitter, map.value, this.#look(map, valueAddress(this.emitter, map.key, key)));
  }

  lookupIf(condition: Condition, map: MapDefinition, key: unknown): unknown {
    this.emitter.mark(this.lookupIf);
    const address = valueAddress(this.emitter, map.key, key);
    return NullableValue.lookupIf(this.emitter, map.value, condition, () => this.#look(map, address));
  }

  #look(map: MapDefinition, key: Value): Value {
    return callHelper(
      this.emitter,
      "bpf_map_lookup_elem",
      [mapAddress(this.emitter, map), key],
      { removable: true, reads: [1] },
      "ptr",
    );
  }

  update(map: MapDefinition, key: unknown, value: unknown, flag: UpdateFlag = UpdateFlag.ANY): ScalarValue {
    this.emitter.mark(this.update);
    const result = callHelper(
      this.emitter,
      "bpf_map_update_elem",
      [
        mapAddress(this.emitter, map),
        valueAddress(this.emitter, map.key, key),
        valueAddress(this.emitter, map.value, value),
        this.emitter.constant("i64", BigInt(flag)),
      ],
      { reads: [1, 2], clobbers: ["map"] },
    );
    return new ScalarValue(this.emitter, "i64", result);
  }

  delete(map: MapDefinition, key: unknown): ScalarValue {
    this.emitter.mark(this.delete);
    const result = callHelper(
      this.emitter,
      "bpf_map_delete_elem",
      [mapAddress(this.emitter, map), valueAddress(this.emitter, map.key, key)],
      { reads: [1], clobbers: ["map"] },
    );
    return new ScalarValue(this.emitter, "i64", result);
  }

  assembly(items: readonly Item[], ...inputs: readonly unknown[]): ScalarValue {
    this.emitter.mark(this.assembly);
    const values = inputs.map((input) => {
      if (input instanceof ScalarValue) return input.use();
      const { constant } = input as Constant;
      return operandValue(this.emitter, constant, input);
    });
    return new ScalarValue(this.emitter, "u64", this.emitter.emit({ op: "assembly", items, arguments: values }, "i64"));
  }
}
