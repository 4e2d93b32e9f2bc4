import type { Value } from "../compiler/ir/ir.ts";
import type { Schema } from "../types/index.ts";
import { Condition } from "./condition.ts";
import type { Emitter } from "./emitter.ts";
import { BuildError } from "./errors.ts";
import { reference, type Ref } from "./reference.ts";
import { operandValue } from "./scalar.ts";

/**
 * The result of a lookup, which may have found nothing. Its fields are only to
 * be had through one of the methods below, each of which checks for null, as
 * the verifier demands.
 */
export class Nullable<out V extends Schema, in R = unknown> {
  readonly #emitter: Emitter;
  readonly #schema: V;
  readonly #address: Value;

  private constructor(emitter: Emitter, schema: V, address: Value) {
    this.#emitter = emitter;
    this.#schema = schema;
    this.#address = address;
  }

  static of<V extends Schema, R>(emitter: Emitter, schema: V, address: Value): Nullable<V, R> {
    return new Nullable(emitter, schema, address);
  }

  /** Runs one of two branches: `found` with what was found, or `missing`. */
  match(found: (value: Ref<V>) => void, missing?: () => void): void {
    const { ssa } = this.#emitter;
    this.#emitter.mark();
    const there = ssa.createBlock();
    const absent = ssa.createBlock();
    const after = missing === undefined ? absent : ssa.createBlock();
    this.#found().branch(there, absent);
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

  /** Runs `found` with what was found, if anything was. */
  ifFound(found: (value: Ref<V>) => void): void {
    this.match(found);
  }

  /** What was found; where nothing was, the program returns `result`. */
  orReturn(result: R): Ref<V> {
    return this.orElse(() => {
      const { ssa } = this.#emitter;
      ssa.return(returnValue(this.#emitter, result), this.#emitter.source);
    });
  }

  /** What was found; where nothing was, `missing` runs, which must leave the program or the loop. */
  orElse(missing: () => void): Ref<V> {
    const { ssa } = this.#emitter;
    this.#emitter.mark();
    const there = ssa.createBlock();
    const absent = ssa.createBlock();
    this.#found().branch(there, absent);
    ssa.enter(absent);
    this.#emitter.within(missing);
    if (!ssa.current.dead) throw new BuildError("what follows on a lookup that found nothing must return or leave the loop; use match() to go on", this.#emitter.source);
    ssa.enter(there);
    return this.#reference();
  }

  #found(): Condition {
    return Condition.compare(this.#emitter, "ne", this.#address, this.#emitter.constant("ptr", 0n));
  }

  #reference(): Ref<V> {
    return reference(this.#emitter, this.#schema, { space: "map", address: this.#address, offset: 0, align: 8, region: this.#emitter.region });
  }
}

/** A program's result as an SSA value. */
export function returnValue(emitter: Emitter, result: unknown): Value {
  if (typeof result === "number") return emitter.constant("i32", BigInt(result));
  const kind = (result as { kind?: "u32" | "i32" }).kind;
  if (kind !== "u32" && kind !== "i32") throw new BuildError(`a program returns a number of 32 bits, not ${String(kind ?? result)}`, emitter.source);
  return operandValue(emitter, kind, result);
}
