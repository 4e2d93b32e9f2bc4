import type { Value } from "../compiler/index.ts";
import type { Schema } from "../types/index.ts";
import { Condition } from "./condition.ts";
import type { Emitter } from "./emitter.ts";
import { BuildError } from "./errors.ts";
import { addressOf, memoryOf, reference, type InMemory, type Ref } from "./reference.ts";
import { operandValue } from "./scalar.ts";
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
export class Nullable<out V extends Schema, in R = never> {
  readonly #emitter: Emitter;
  readonly #schema: V;
  readonly #result: LookupResult;
  readonly #use: () => void;

  private constructor(emitter: Emitter, schema: V, result: LookupResult) {
    this.#emitter = emitter;
    this.#schema = schema;
    this.#result = result;
    this.#use = emitter.expectUse("this lookup", "write .orReturn(…), .orElse(…), .ifFound(…) or .match(…)");
  }

  /** The address that a helper returned, which may be null. */
  static lookup<V extends Schema, R>(emitter: Emitter, schema: V, address: Value): Nullable<V, R> {
    return new Nullable(emitter, schema, {
      branch: (there, absent) =>
        Condition.compare(emitter, "ne", address, emitter.constant("ptr", 0n)).branch(there, absent),
      address: () => address,
      space: "map",
      align: 8,
    });
  }

  /** Calls a helper where a condition holds; null elsewhere. */
  static lookupIf<V extends Schema, R>(
    emitter: Emitter,
    schema: V,
    condition: Condition,
    look: () => Value,
  ): Nullable<V, R> {
    const { ssa } = emitter;
    let address: Value;
    return new Nullable(emitter, schema, {
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
  static first<V extends Schema, R>(
    emitter: Emitter,
    schema: V,
    candidates: readonly InMemory<V>[],
    condition: (candidate: Ref<V>) => Condition,
  ): Nullable<V, R> {
    const { ssa } = emitter;
    const chosen = { type: "ptr" } as const;
    const places = candidates.map((candidate) => memoryOf(candidate)!.place);
    const space = places[0]?.space;
    if (space !== "map" && space !== "stack")
      throw new BuildError("b.first() takes places in a map's value or on the stack", emitter.source);
    return new Nullable(emitter, schema, {
      branch(there, absent) {
        for (const place of places) {
          const [hit, next] = [ssa.createBlock(), ssa.createBlock()];
          emitter.within(() => condition(reference(emitter, schema, place)).branch(hit, next));
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
  static packet<V extends Schema, R>(
    emitter: Emitter,
    schema: V,
    data: Value,
    dataEnd: Value,
    offset: number,
  ): Nullable<V, R> {
    const move = (by: number) =>
      emitter.emit({ op: "binary", operator: "add", left: data, right: emitter.constant("i64", BigInt(by)) }, "ptr");
    return new Nullable(emitter, schema, {
      branch: (there, absent) =>
        Condition.compare(emitter, "le", move(offset + schema.size), dataEnd).branch(there, absent),
      address: () => move(offset),
      space: "packet",
      align: 1,
    });
  }

  /** Runs `found` with the value, or `missing`. */
  match(found: (value: Ref<V>) => void, missing?: () => void): void {
    const { ssa } = this.#emitter;
    this.#emitter.mark(this.match);
    this.#use();
    const there = ssa.createBlock();
    const absent = ssa.createBlock();
    const after = missing === undefined ? absent : ssa.createBlock();
    this.#result.branch(there, absent);
    ssa.enter(there);
    this.#emitter.within(() => found(this.#reference()));
    ssa.jump(after, undefined);
    if (missing !== undefined) {
      ssa.enter(absent);
      this.#emitter.within(missing);
      ssa.jump(after, undefined);
    }
    ssa.enter(after);
  }

  /** True where a value was found. Use when only presence matters. */
  isFound(): Condition {
    this.#emitter.mark(this.isFound);
    this.#use();
    return Condition.branching(this.#emitter, (there, absent) => this.#result.branch(there, absent));
  }

  /** Runs `found` with the value, if there is one. */
  ifFound(found: (value: Ref<V>) => void): void {
    this.#emitter.mark(this.ifFound);
    this.match(found);
  }

  /** The value; without one, the program returns `result`. */
  orReturn(result: R): Ref<V> {
    this.#emitter.mark(this.orReturn);
    return this.orElse(() => {
      const { ssa } = this.#emitter;
      ssa.return(returnValue(this.#emitter, result), this.#emitter.source);
    });
  }

  /** The value; without one, `missing` runs, which must leave the program or the loop. */
  orElse(missing: () => void): Ref<V> {
    const { ssa } = this.#emitter;
    this.#emitter.mark(this.orElse);
    this.#use();
    const there = ssa.createBlock();
    const absent = ssa.createBlock();
    this.#result.branch(there, absent);
    ssa.enter(absent);
    this.#emitter.within(missing);
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

/** A program's result as an SSA value. */
export function returnValue(emitter: Emitter, result: unknown): Value {
  if (typeof result === "number") return emitter.constant("i32", BigInt(result));
  const kind = (result as { kind?: "u32" | "i32" }).kind;
  if (kind !== "u32" && kind !== "i32")
    throw new BuildError(`a program returns a number of 32 bits, not ${String(kind ?? result)}`, emitter.source);
  return operandValue(emitter, kind, result);
}
