import type { Comparison, Value } from "../compiler/index.ts";
import type { Emitter } from "./emitter.ts";
import type { OpenBlock } from "./ssa.ts";

type Test =
  | { readonly op: "compare"; readonly comparison: Comparison; readonly left: Value; readonly right: Value }
  | { readonly op: "and" | "or"; readonly first: Condition; readonly second: Condition | (() => Condition) }
  | { readonly op: "not"; readonly operand: Condition }
  | { readonly op: "branch"; readonly branch: (then: OpenBlock, otherwise: OpenBlock) => void };

/**
 * Something that is true or false when the program runs, for `b.if` and its
 * like. What it compares was read when the condition was made; the jumps are
 * written when it is used.
 */
export class Condition {
  readonly #emitter: Emitter;
  readonly #test: Test;
  readonly #use: () => void;

  private constructor(emitter: Emitter, test: Test) {
    this.#emitter = emitter;
    this.#test = test;
    this.#use = emitter.expectUse(
      "this condition",
      "give it to b.if(condition, () => …), or to another condition's .and(…) or .or(…)",
    );
  }

  static compare(emitter: Emitter, comparison: Comparison, left: Value, right: Value): Condition {
    return new Condition(emitter, { op: "compare", comparison, left, right });
  }

  /** One that writes its own jumps. */
  static branching(emitter: Emitter, branch: (then: OpenBlock, otherwise: OpenBlock) => void): Condition {
    return new Condition(emitter, { op: "branch", branch });
  }

  /** Both. Given as a function, the second is only computed where the first is true. */
  and(second: Condition | (() => Condition)): Condition {
    return this.#joined("and", second, this.and);
  }

  /** Either. Given as a function, the second is only computed where the first is false. */
  or(second: Condition | (() => Condition)): Condition {
    return this.#joined("or", second, this.or);
  }

  not(): Condition {
    this.#emitter.mark(this.not);
    this.#use();
    return new Condition(this.#emitter, { op: "not", operand: this });
  }

  #joined(op: "and" | "or", second: Condition | (() => Condition), method: Function): Condition {
    this.#emitter.mark(method);
    this.#use();
    if (typeof second !== "function") second.#use();
    return new Condition(this.#emitter, { op, first: this, second });
  }

  /** Writes the jumps to `then` where it is true and to `otherwise` where not. */
  branch(then: OpenBlock, otherwise: OpenBlock): void {
    this.#use();
    const { ssa } = this.#emitter;
    const test = this.#test;
    switch (test.op) {
      case "compare":
        return ssa.branch(test.comparison, test.left, test.right, then, otherwise, this.#emitter.source);
      case "not":
        return test.operand.branch(otherwise, then);
      case "branch":
        return test.branch(then, otherwise);
      case "and":
      case "or": {
        const next = ssa.createBlock();
        if (test.op === "and") test.first.branch(next, otherwise);
        else test.first.branch(then, next);
        ssa.enter(next);
        const { second } = test;
        if (typeof second !== "function") return second.branch(then, otherwise);
        return this.#emitter.within(() => second().branch(then, otherwise));
      }
    }
  }
}
