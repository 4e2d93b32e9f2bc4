import type { Comparison, Value } from "../compiler/index.ts";
import { describeValues, shown } from "./described.ts";
import type { Emitter } from "./emitter.ts";
import { BuildError } from "./errors.ts";
import type { OpenBlock } from "./ssa.ts";

type Test =
  | { readonly op: "compare"; readonly comparison: Comparison; readonly left: Value; readonly right: Value }
  | { readonly op: "and" | "or"; readonly first: Condition; readonly second: Condition | (() => Condition) }
  | { readonly op: "not"; readonly operand: Condition }
  | { readonly op: "branch"; readonly branch: (then: OpenBlock, otherwise: OpenBlock) => void };

/**
 * A condition that the running program decides, for `b.if` and the like. It
 * compares values as they were when it was made.
 *
 * @example
 * ```ts
 * import { cgroup, PROCEED, Protocol, REJECT } from "tsbpf";
 *
 * const connect4 = cgroup.connect4("connect4", (b, ctx) => {
 *   const telnet = ctx.protocol.eq(Protocol.TCP).and(() => ctx.userPort.toHost().eq(23));
 *   b.if(telnet, () => b.return(REJECT));
 *   return PROCEED;
 * });
 * ```
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

  /** A condition that writes its own jumps. */
  static branching(emitter: Emitter, branch: (then: OpenBlock, otherwise: OpenBlock) => void): Condition {
    return new Condition(emitter, { op: "branch", branch });
  }

  /** True where both are. A function is evaluated only where the first is true. */
  and(second: Condition | (() => Condition)): Condition {
    return this.#joined("and", second, this.and);
  }

  /** True where either is. A function is evaluated only where the first is false. */
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
    if (typeof second !== "function") givenCondition(this.#emitter, `.${op}()`, second).#use();
    return new Condition(this.#emitter, { op, first: this, second });
  }

  /** Writes the jumps: to `then` where it is true, else to `otherwise`. */
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
        return this.#emitter.within(() =>
          givenCondition(this.#emitter, `.${test.op}()`, second()).branch(then, otherwise),
        );
      }
    }
  }
}

describeValues(Condition.prototype, () => ({ what: "a condition", remedy: "write b.if(condition, () => …)" }));

/**
 * A condition that a program gave to a method.
 * @param taker the method, as the error names it
 * @throws {BuildError} where it is something else
 */
export function givenCondition(emitter: Emitter, taker: string, given: unknown): Condition {
  if (given instanceof Condition) return given;
  throw new BuildError(`${taker} takes a condition, not ${shown(given)}: ${remedyFor(given)}`, emitter.source);
}

function remedyFor(given: unknown): string {
  if (typeof given === "boolean") return "it is known while the program is built, so decide by TypeScript's own if";
  if (typeof given !== "object" || given === null) return "compare numbers with .eq(…), .lt(…) and the like";
  if ("isFound" in given) return "write .isFound(), or .ifFound(…) to use what was found";
  return "eq" in given ? "compare it, as in .ne(0)" : "compare numbers with .eq(…), .lt(…) and the like";
}
