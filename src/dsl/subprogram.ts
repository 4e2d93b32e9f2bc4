import type { ScalarKind, ScalarSchema } from "../types/index.ts";
import type { BuilderWith } from "./builder.ts";
import { valueType } from "./emitter.ts";
import type { HelperMethod } from "./helpers/index.ts";
import { operandValue, ScalarValue, type Operand, type Scalar } from "./scalar.ts";
import type { Parameters, Subprogram } from "./subprogram-call.ts";

type ParameterValues<P extends Parameters> = {
  readonly [N in keyof P]: P[N] extends ScalarSchema<infer K> ? Scalar<K> : never;
};

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
          emitter.result = result;
          return result(body(builder as unknown as BuilderWith<H, Operand<K>>, given as unknown as ParameterValues<P>));
        },
      ),
  };
}
