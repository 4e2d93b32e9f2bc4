import type { ScalarKind } from "../types/index.ts";
import { describeValues } from "./described.ts";
import { valueType, type Emitter, type Region } from "./emitter.ts";
import { operandValue, ScalarValue } from "./scalar.ts";
import type { Variable } from "./ssa.ts";

/** A number that may change: a variable of the SSA builder, which joins its values. */
export class MutableValue {
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
    this.#emitter.mark(this.get);
    this.#emitter.checkAlive(this.#region, "a variable");
    return new ScalarValue(this.#emitter, this.#kind, this.#emitter.ssa.read(this.#variable));
  }

  set(value: unknown): void {
    this.#emitter.mark(this.set);
    this.#emitter.checkAlive(this.#region, "a variable");
    this.#emitter.ssa.write(this.#variable, operandValue(this.#emitter, this.#kind, value));
  }
}

describeValues(MutableValue.prototype, () => ({ what: "a variable of the program", remedy: "write .get()" }));
