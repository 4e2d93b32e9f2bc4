import type { IrFunction } from "../compiler/index.ts";
import type { ScalarKind, ScalarSchema } from "../types/index.ts";
import type { BuilderWith } from "./builder.ts";
import { valueType, type Emitter } from "./emitter.ts";
import type { FunctionTable } from "./functions.ts";
import type { HelperMethod } from "./helpers/index.ts";
import { operandValue, ScalarValue, type Operand, type Scalar } from "./scalar.ts";

/** Names and schemas of a subprogram's parameters: at most five. */
export type Parameters = Readonly<Record<string, ScalarSchema>>;

type ParameterValues<P extends Parameters> = {
  readonly [N in keyof P]: P[N] extends ScalarSchema<infer K> ? Scalar<K> : never;
};
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

/**
 * Declares a function in the bytecode. `helpers` names the helpers that it
 * needs: programs whose hook has them can call it.
 *
 * @throws {RangeError} for more than five parameters
 * @example
 * ```ts
 * import { cgroup, PROCEED, REJECT, subprogram, u32 } from "tsbpf";
 *
 * const mix = subprogram("mix", { value: u32 }, u32, (_b, { value }) => value.xor(value.shr(16)));
 * const connect4 = cgroup.connect4("connect4", (b, ctx) => {
 *   b.if(b.call(mix, { value: ctx.userIp4.toHost() }).eq(0), () => b.return(REJECT));
 *   return PROCEED;
 * });
 * ```
 */
export function subprogram<P extends Parameters, K extends ScalarKind, H extends HelperMethod = never>(
  name: string,
  parameters: P,
  returns: ScalarSchema<K>,
  body: (b: BuilderWith<H, Operand<K>>, values: ParameterValues<P>) => Operand<K>,
  ...[needs = []]: [H] extends [never] ? [] : [helpers: readonly H[]]
): Subprogram<P, K> {
  const schemas = Object.entries(parameters);
  if (schemas.length > 5)
    throw new RangeError(`subprogram ${name} has ${schemas.length} parameters; a call passes at most five`);
  return {
    name,
    parameters,
    returns,
    describe: (functions) =>
      functions.write(
        name,
        schemas.map(([, schema]) => valueType(schema.scalar)),
        needs,
        (builder, emitter, values) => {
          const result = (value: unknown) => operandValue(emitter, returns.scalar, value);
          const given = Object.fromEntries(
            schemas.map(([key, schema], i) => [key, new ScalarValue(emitter, schema.scalar, values[i]!)]),
          );
          builder.returning(result);
          return result(body(builder as unknown as BuilderWith<H, Operand<K>>, given as unknown as ParameterValues<P>));
        },
      ),
  };
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
