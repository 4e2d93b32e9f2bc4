/** What a program returns, as an SSA value. */
import type { SourceLocation } from "../asm/index.ts";
import type { Value } from "../compiler/index.ts";
import { PROCEED, REJECT, XdpAction, type Hook } from "../hooks/index.ts";
import { ProgramType } from "../types/index.ts";
import { shown } from "./described.ts";
import type { Emitter } from "./emitter.ts";
import { BuildError } from "./errors.ts";
import { operandValue, ScalarValue } from "./scalar.ts";

/**
 * The result of a program.
 * @param source where the program gives it
 * @throws {BuildError} where the hook takes no such result
 */
export function programResult(
  emitter: Emitter,
  hook: Hook,
  result: unknown,
  source: SourceLocation | undefined = emitter.source,
): Value {
  if (result instanceof ScalarValue && (result.kind === "u32" || result.kind === "i32"))
    return operandValue(emitter, result.kind, result);
  if (typeof result === "number" && takes(hook, result)) return emitter.constant("i32", BigInt(result));
  // What an async function throws would end the process, beside this error.
  if (result instanceof Promise) result.catch(() => {});
  const given =
    result === undefined ? "this one returns nothing" : `this one returns ${shown(result)}${adviceFor(result)}`;
  throw new BuildError(`programs of ${hook.sections[0]} return ${resultsOf(hook)}, and ${given}`, source);
}

function takes({ returns }: Hook, result: number): boolean {
  if (returns !== "any") return returns.includes(result);
  return Number.isInteger(result) && result >= -(2 ** 31) && result < 2 ** 32;
}

/** The results that a hook takes: `REJECT (0) or PROCEED (1)`. */
function resultsOf({ returns, type }: Hook): string {
  if (returns === "any") return "a number of 32 bits";
  const names = type === ProgramType.XDP ? XdpAction : { REJECT, PROCEED };
  const prefix = type === ProgramType.XDP ? "XdpAction." : "";
  return returns
    .map((result) => {
      const name = Object.entries(names).find(([, value]) => value === result)?.[0];
      return name === undefined ? String(result) : `${prefix}${name} (${result})`;
    })
    .join(" or ");
}

function adviceFor(result: unknown): string {
  if (result instanceof Promise) return ": a program is built at once, so leave out async and await";
  if (result instanceof ScalarValue) return ": convert it with .to(u32), or with .toHost() first";
  return typeof result === "boolean" ? ": write b.if(condition, () => b.return(REJECT))" : "";
}
