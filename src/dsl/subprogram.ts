import type { IrFunction, Value, ValueType } from "../compiler/ir/ir.ts";
import type { ScalarKind, ScalarSchema, Schema } from "../types/index.ts";
import { BuilderImplementation, type BuilderWith } from "./builder.ts";
import { Emitter, valueType } from "./emitter.ts";
import { BuildError } from "./errors.ts";
import type { HelperMethod } from "./helpers.ts";
import { reference, type Ref } from "./reference.ts";
import { operandValue, ScalarValue, type Operand, type Scalar } from "./scalar.ts";
import { SsaBuilder } from "./ssa.ts";

/** Names and schemas of a subprogram's parameters: at most five. */
export type Parameters = Readonly<Record<string, ScalarSchema>>;

type ParameterValues<P extends Parameters> = { readonly [N in keyof P]: P[N] extends ScalarSchema<infer K> ? Scalar<K> : never };
export type Arguments<P extends Parameters> = { readonly [N in keyof P]: P[N] extends ScalarSchema<infer K> ? Operand<K> : never };

/** A function of its own in the bytecode, which programs call: what is used in many places is there once. */
export interface Subprogram<P extends Parameters = Parameters, K extends ScalarKind = ScalarKind> {
  readonly name: string;
  readonly parameters: P;
  readonly returns: ScalarSchema<K>;
  /** Writes the function. */
  readonly describe: (functions: FunctionTable) => IrFunction;
}

/** `H` are the helpers that the subprogram needs: a program can call it where its hook has them. */
export function subprogram<P extends Parameters, K extends ScalarKind, H extends HelperMethod = never>(
  name: string, parameters: P, returns: ScalarSchema<K>,
  body: (b: BuilderWith<H, Operand<K>>, values: ParameterValues<P>) => Operand<K>,
  ...[needs = []]: [H] extends [never] ? [] : [helpers: readonly H[]]
): Subprogram<P, K> {
  const schemas = Object.entries(parameters);
  if (schemas.length > 5) throw new RangeError(`subprogram ${name} has ${schemas.length} parameters; a call passes at most five`);
  return {
    name, parameters, returns,
    describe: (functions) => writeFunction(name, schemas.map(([, schema]) => valueType(schema.scalar)), functions, needs, (builder, emitter, values) => {
      const result = (value: unknown) => operandValue(emitter, returns.scalar, value);
      const given = Object.fromEntries(schemas.map(([key, schema], i) => [key, new ScalarValue(emitter, schema.scalar, values[i]!)]));
      builder.returning(result);
      return result(body(builder as unknown as BuilderWith<H, Operand<K>>, given as unknown as ParameterValues<P>));
    }),
  };
}

/** The subprograms that a program has come to call, each written once. */
export class FunctionTable {
  readonly #functions = new Map<string, { readonly of: unknown; ir: IrFunction | undefined }>();

  /** The name of a subprogram in this program; it is written when it is first asked for. */
  name(of: unknown, name: string, write: (functions: FunctionTable) => IrFunction): string {
    const known = this.#functions.get(name);
    if (known !== undefined) {
      if (known.of !== of) throw new BuildError(`two different subprograms are named ${name}`);
      return name;
    }
    const entry = { of, ir: undefined as IrFunction | undefined };
    this.#functions.set(name, entry);
    entry.ir = write(this);
    return name;
  }

  /** A name that no subprogram has. */
  freeName(prefix: string): string {
    let number = 0;
    while (this.#functions.has(`${prefix}_${number}`)) number++;
    return `${prefix}_${number}`;
  }

  /** All functions, in the order of first mention. */
  get all(): readonly IrFunction[] {
    return [...this.#functions.values()].map(({ ir }) => ir!);
  }
}

/** Writes the call of a subprogram. */
export function callSubprogram(emitter: Emitter, functions: FunctionTable, target: Subprogram, values: Readonly<Record<string, unknown>>): ScalarValue {
  const name = functions.name(target, target.name, target.describe);
  const passed = Object.entries(target.parameters).map(([key, schema]) => operandValue(emitter, schema.scalar, values[key]));
  return new ScalarValue(emitter, target.returns.scalar, emitter.emit({ op: "call-function", name, arguments: passed }, valueType(target.returns.scalar)));
}

/** Writes a loop's body as a function that `bpf_loop` calls: it is given the index and its state, and gives 1 to end the loop. */
export function loopCallback<S extends Schema>(
  functions: FunctionTable, name: string, helpers: readonly HelperMethod[], state: S,
  body: (b: BuilderImplementation, index: ScalarValue, state: Ref<S>) => void,
): string {
  return functions.name(body, name, () => writeFunction(name, ["i32", "ptr"], functions, helpers, (builder, emitter, [index, address]) => {
    builder.returning((value) => operandValue(emitter, "u64", value));
    const place = { space: "stack", address: address!, offset: 0, align: 8, region: emitter.region } as const;
    body(builder, new ScalarValue(emitter, "u32", index!), reference(emitter, state, place));
    return emitter.constant("i64", 0n);
  }));
}

/** Writes one function; `body` gives its result. */
export function writeFunction(
  name: string, parameters: readonly ValueType[], functions: FunctionTable, helpers: readonly HelperMethod[],
  body: (builder: BuilderImplementation, emitter: Emitter, values: readonly Value[]) => Value | undefined,
): IrFunction {
  const ssa = new SsaBuilder(name, parameters);
  const emitter = new Emitter(ssa);
  const result = body(new BuilderImplementation(emitter, helpers, functions), emitter, ssa.parameters);
  if (!ssa.current.dead) {
    if (result === undefined) throw new BuildError(`${name} ends without a result: return one, such as PROCEED`);
    ssa.return(result, emitter.source);
  }
  return ssa.finish();
}
