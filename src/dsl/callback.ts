/** Functions that a program gives to the DSL, such as the branches of `b.if`: they return nothing. */
import type { Mistake } from "../types/index.ts";
import { shown } from "./described.ts";
import type { Emitter } from "./emitter.ts";
import { BuildError } from "./errors.ts";

/** A function that the DSL calls once, while the program is built, and whose result nothing takes. */
export type Callback<A extends readonly unknown[] = []> = (
  ...given: A
) => void | Mistake<"nothing takes this result: write b.return(…) to end the program, or put the statement in { }">;

/**
 * Runs a function of the program in a region of its own.
 * @param taker the method that was given the function, as errors name it
 * @param given makes the function's arguments, in the region
 * @throws {BuildError} where it returns something
 */
export function runCallback<A extends readonly unknown[]>(
  emitter: Emitter,
  taker: string,
  callback: (...given: A) => unknown,
  given: () => [...A],
): void {
  const { source } = emitter;
  if (typeof callback !== "function")
    throw new BuildError(`${taker} takes a function, () => { … }, and was given ${shown(callback)}`, source);
  const result = emitter.within(() => callback(...given()));
  if (result === undefined) return;
  if (result instanceof Promise) {
    // Its own failure would end the process, beside this error.
    result.catch(() => {});
    throw new BuildError(
      `${taker} takes no async function, because a program is built at once: leave out async and await`,
      source,
    );
  }
  const remedy =
    taker === ".orElse()"
      ? "write .orReturn(value), or b.return(value) in the function"
      : "write b.return(value) to end the program, or put the function's statement in { }";
  throw new BuildError(`nothing takes ${shown(result)}, which a function given to ${taker} returns: ${remedy}`, source);
}

/** For functions that take nothing. */
export const nothing = (): [] => [];
