import type { Value } from "../compiler/index.ts";
import type { ArraySchema, Mistake, Schema, StructSchema } from "../types/index.ts";
import { nothing, runCallback, type Callback } from "./callback.ts";
import { Condition, givenCondition } from "./condition.ts";
import { describeValues, shown } from "./described.ts";
import type { Emitter } from "./emitter.ts";
import { BuildError } from "./errors.ts";
import { placeOfCall } from "./source.ts";
import { addressOf, memoryOf, reference, type InMemory, type Ref } from "./reference.ts";
import type { OpenBlock } from "./ssa.ts";

/** Tests for null and yields the address. */
interface LookupResult {
  /** Writes the jumps: to `there` where it was found, else to `absent`. */
  branch(there: OpenBlock, absent: OpenBlock): void;
  /** The address, for use in `there`. */
  address(): Value;
  readonly space: "map" | "stack" | "packet";
  readonly align: number;
}

/**
 * The result of a lookup, which may be null. Each method below checks for null,
 * as the verifier demands, before it hands out the value. `R` is what the
 * program may return.
 *
 * @example
 * ```ts
 * import { array, cgroup, PROCEED, REJECT, u32 } from "tsbpf";
 *
 * const limits = array("limits", { value: u32, maxEntries: 256 });
 * const connect4 = cgroup.connect4("connect4", (b, ctx) => {
 *   const limit = b.lookup(limits, ctx.protocol).orReturn(PROCEED);
 *   b.if(limit.value.eq(0), () => b.return(REJECT));
 *   return PROCEED;
 * });
 * ```
 */
export type Nullable<V extends Schema, R = never> = NullableMethods<V, R> & Unchecked<V>;

/** What a lookup's result can be asked; see `Nullable`. */
interface NullableMethods<out V extends Schema, in R> {
  /** Runs `found` with the value, or `missing`. */
  match(found: Callback<[value: Ref<V>]>, missing?: Callback): void;
  /** True where a value was found. Use when only presence matters. */
  isFound(): Condition;
  /** Runs `found` with the value, if there is one. */
  ifFound(found: Callback<[value: Ref<V>]>): void;
  /** The value; without one, the program returns `result`. */
  orReturn(result: R): Ref<V>;
  /** The value; without one, `missing` runs, which must leave the program or the loop. */
  orElse(missing: Callback): Ref<V>;
}

/** The value's own members, which the program names too early. */
type Unchecked<V extends Schema> = {
  readonly [N in Exclude<
    MembersOf<V>,
    keyof NullableMethods<V, never>
  >]: Mistake<"nothing may have been found: write .orReturn(…), .ifFound(…) or .match(…) first">;
};

type MembersOf<V extends Schema> =
  V extends StructSchema<infer F> ? keyof F : V extends ArraySchema ? "at" | "length" : "value";

const USES = "write .orReturn(…), .orElse(…), .ifFound(…) or .match(…)";

/** The class behind every nullable. */
export class NullableValue<V extends Schema = Schema> {
  readonly #emitter: Emitter;
  readonly #schema: V;
  readonly #result: LookupResult;
  readonly #use: () => void;

  private constructor(emitter: Emitter, schema: V, result: LookupResult) {
    this.#emitter = emitter;
    this.#schema = schema;
    this.#result = result;
    this.#use = emitter.expectUse("this lookup", USES);
    Object.setPrototypeOf(this, uncheckedPrototype(schema));
  }

  /** The address that a helper returned, which may be null. */
  static lookup<V extends Schema>(emitter: Emitter, schema: V, address: Value): NullableValue<V> {
    return new NullableValue(emitter, schema, {
      branch: (there, absent) =>
        Condition.compare(emitter, "ne", address, emitter.constant("ptr", 0n)).branch(there, absent),
      address: () => address,
      space: "map",
      align: 8,
    });
  }

  /** Calls a helper where a condition holds; null elsewhere. */
  static lookupIf<V extends Schema>(
    emitter: Emitter,
    schema: V,
    condition: Condition,
    look: () => Value,
  ): NullableValue<V> {
    const { ssa } = emitter;
    let address: Value;
    return new NullableValue(emitter, schema, {
      branch(there, absent) {
        const holds = ssa.createBlock();
        condition.branch(holds, absent);
        ssa.enter(holds);
        address = look();
        Condition.compare(emitter, "ne", address, emitter.constant("ptr", 0n)).branch(there, absent);
      },
      address: () => address,
      space: "map",
      align: 8,
    });
  }

  /** The first place in memory that meets a condition. */
  static first<V extends Schema>(
    emitter: Emitter,
    schema: V,
    candidates: readonly InMemory<V>[],
    condition: (candidate: Ref<V>) => Condition,
  ): NullableValue<V> {
    const { ssa } = emitter;
    const chosen = { type: "ptr" } as const;
    const places = candidates.map((candidate) => memoryOf(candidate)!.place);
    const space = places[0]?.space;
    if (space !== "map" && space !== "stack")
      throw new BuildError("b.first() takes places in a map's value or on the stack", emitter.source);
    return new NullableValue(emitter, schema, {
      branch(there, absent) {
        for (const place of places) {
          const [hit, next] = [ssa.createBlock(), ssa.createBlock()];
          emitter.within(() =>
            givenCondition(emitter, "b.first()", condition(reference(emitter, schema, place))).branch(hit, next),
          );
          ssa.enter(hit);
          ssa.write(chosen, addressOf(emitter, place));
          ssa.jump(there, undefined);
          ssa.enter(next);
        }
        ssa.jump(absent, undefined);
      },
      address: () => ssa.read(chosen),
      space,
      align: Math.min(...places.map(({ align, offset }) => (offset % align === 0 ? align : schema.align))),
    });
  }

  /** Bytes of a packet; null where it is too short. */
  static packet<V extends Schema>(
    emitter: Emitter,
    schema: V,
    data: Value,
    dataEnd: Value,
    offset: number,
  ): NullableValue<V> {
    if (!Number.isInteger(offset) || offset < 0)
      throw new BuildError(
        `b.packet() takes an offset that is known while the program is built, 0 or more, not ${shown(offset)}: ` +
          "where the header before has a few possible lengths, write " +
          "b.switch(length, [[20, () => …], [24, () => …]])",
        emitter.source,
      );
    const move = (by: number) =>
      emitter.emit({ op: "binary", operator: "add", left: data, right: emitter.constant("i64", BigInt(by)) }, "ptr");
    return new NullableValue(emitter, schema, {
      branch: (there, absent) =>
        Condition.compare(emitter, "le", move(offset + schema.size), dataEnd).branch(there, absent),
      address: () => move(offset),
      space: "packet",
      align: 1,
    });
  }

  match(found: Callback<[value: Ref<V>]>, missing?: Callback): void {
    this.#emitter.mark(this.match);
    this.#match(".match()", found, missing);
  }

  #match(taker: string, found: Callback<[value: Ref<V>]>, missing?: Callback): void {
    const { ssa } = this.#emitter;
    this.#use();
    const there = ssa.createBlock();
    const absent = ssa.createBlock();
    const after = missing === undefined ? absent : ssa.createBlock();
    this.#result.branch(there, absent);
    ssa.enter(there);
    runCallback(this.#emitter, taker, found, () => [this.#reference()]);
    ssa.jump(after, undefined);
    if (missing !== undefined) {
      ssa.enter(absent);
      runCallback(this.#emitter, taker, missing, nothing);
      ssa.jump(after, undefined);
    }
    ssa.enter(after);
  }

  isFound(): Condition {
    this.#emitter.mark(this.isFound);
    this.#use();
    return Condition.branching(this.#emitter, (there, absent) => this.#result.branch(there, absent));
  }

  ifFound(found: Callback<[value: Ref<V>]>): void {
    this.#emitter.mark(this.ifFound);
    this.#match(".ifFound()", found);
  }

  orReturn(result: unknown): Ref<V> {
    this.#emitter.mark(this.orReturn);
    return this.orElse(() => {
      const { ssa, source } = this.#emitter;
      ssa.return(this.#emitter.result(result), source);
    });
  }

  orElse(missing: Callback): Ref<V> {
    const { ssa } = this.#emitter;
    this.#emitter.mark(this.orElse);
    this.#use();
    const there = ssa.createBlock();
    const absent = ssa.createBlock();
    this.#result.branch(there, absent);
    ssa.enter(absent);
    runCallback(this.#emitter, ".orElse()", missing, nothing);
    if (!ssa.current.dead)
      throw new BuildError(
        "the function given to orElse() must return or leave the loop; use match() to go on",
        this.#emitter.source,
      );
    ssa.enter(there);
    return this.#reference();
  }

  #reference(): Ref<V> {
    const { space, align } = this.#result;
    return reference(this.#emitter, this.#schema, {
      space,
      align,
      address: this.#result.address(),
      offset: 0,
      region: this.#emitter.region,
    });
  }
}

describeValues(NullableValue.prototype, () => ({ what: "the result of a lookup", remedy: USES }));

const prototypes = new WeakMap<Schema, object>();

/** What results of one schema inherit from: the value's own members throw, since nothing may have been found. */
function uncheckedPrototype(schema: Schema): object {
  let prototype = prototypes.get(schema);
  if (prototype === undefined) {
    prototype = Object.create(NullableValue.prototype) as object;
    const members = "fields" in schema ? Object.keys((schema as StructSchema).fields) : ["value", "at", "length"];
    for (const name of members.filter((name) => !(name in NullableValue.prototype))) {
      const get = (): never => {
        throw new BuildError(
          `nothing may have been found, so .${name} may not be there: ${USES} first`,
          placeOfCall(get)(),
        );
      };
      Object.defineProperty(prototype, name, { get });
    }
    prototypes.set(schema, prototype);
  }
  return prototype;
}
