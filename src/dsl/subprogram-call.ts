import type { IrFunction } from "../compiler/index.ts";
import type { ScalarKind, ScalarSchema } from "../types/index.ts";
import { valueType, type Emitter } from "./emitter.ts";
import type { FunctionTable } from "./functions.ts";
import { operandValue, ScalarValue, type Operand } from "./scalar.ts";

/** Names and schemas of a subprogram's parameters: at most five. */
export type Parameters = Readonly<Record<string, ScalarSchema>>;

/** The arguments of a call, by parameter. */
export type Arguments<P extends Parameters> = {
  readonly [N in keyof P]: P[N] extends ScalarSchema<infer K> ? Operand<K> : never;
};

/** A function in the bytecode that programs call by `b.call()`, for code that many places use. */
export interface Subprogram<P extends Parameters = Parameters, K extends ScalarKind = ScalarKind> {
  readonly name: string;
  readonly parameters: P;
  readonly returns: ScalarSchema<K>;
  /** Writes the function. */
  readonly describe: (functions: FunctionTable) => IrFunction;
}

/** Writes the call of a subprogram. */
export function callSubprogram(
  emitter: Emitter,
  functions: FunctionTable,
  target: Subprogram,
  values: Readonly<Record<string, unknown>>,
): ScalarValue {
  const name = functions.name(target, target.name, target.describe);
  const passed = Object.entries(target.parameters).map(([key, schema]) =>
    operandValue(emitter, schema.scalar, values[key]),
  );
  return new ScalarValue(
    emitter,
    target.returns.scalar,
    emitter.emit({ op: "call-function", name, arguments: passed }, valueType(target.returns.scalar)),
  );
}
