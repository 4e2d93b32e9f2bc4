import type { Hook } from "../hooks/index.ts";
import type { IrFunction, Value, ValueType } from "../compiler/index.ts";
import { Emitter } from "./emitter.ts";
import { BuildError } from "./errors.ts";
import type { HelperMethod } from "./helpers/index.ts";
import { SsaBuilder } from "./ssa.ts";

type MakeBuilder<B> = (emitter: Emitter, helpers: readonly HelperMethod[]) => B;

/** The functions of a program, built by builders `B`: the main one, and each subprogram that it calls, once. */
export class FunctionTable<out B = unknown> {
  readonly #functions = new Map<string, { readonly of: unknown; ir: IrFunction | undefined }>();
  readonly #builder: MakeBuilder<B>;

  /** Where the program runs. */
  readonly hook: Hook;

  constructor(hook: Hook, builder: MakeBuilder<B>) {
    this.hook = hook;
    this.#builder = builder;
  }

  /** The name of a subprogram in this program; the first request writes it. */
  name(of: unknown, name: string, write: (functions: FunctionTable<B>) => IrFunction): string {
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

  /** A free name. */
  freeName(prefix: string): string {
    let number = 0;
    while (this.#functions.has(`${prefix}_${number}`)) number++;
    return `${prefix}_${number}`;
  }

  /** All functions, in the order of first mention. */
  get all(): readonly IrFunction[] {
    return [...this.#functions.values()].map(({ ir }) => ir!);
  }

  /** Writes one function; `body` returns its result. */
  write(
    name: string,
    parameters: readonly ValueType[],
    helpers: readonly HelperMethod[],
    body: (builder: B, emitter: Emitter, values: readonly Value[]) => Value | undefined,
  ): IrFunction {
    const ssa = new SsaBuilder(name, parameters);
    const emitter = new Emitter(ssa);
    const result = body(this.#builder(emitter, helpers), emitter, ssa.parameters);
    emitter.checkUsed();
    if (!ssa.current.dead) {
      if (result === undefined) throw new BuildError(`${name} ends without a result`, emitter.source);
      ssa.return(result, emitter.source);
    }
    return ssa.finish();
  }
}
