import { compile, type CompileOptions, type IrModule, type Operation } from "../compiler/index.ts";
import type { Program } from "../asm/index.ts";
import type { Hook } from "../hooks/index.ts";
import { mapDifference, type MapDefinition } from "../types/index.ts";
import type { Builder } from "./builder.ts";
import { contextView, type Context } from "./context.ts";
import { BuildError } from "./errors.ts";
import { FunctionTable } from "./functions.ts";
import { methodsOf } from "./helpers/index.ts";
import { BuilderImplementation } from "./implementation.ts";
import { returnValue } from "./nullable.ts";
import type { ReturnOf } from "./returns.ts";
import { withSourceCapture } from "./source.ts";

/** How a program is built. */
export interface BuildOptions extends CompileOptions {
  /** Whether each instruction keeps its line of TypeScript; true if absent. */
  readonly sources?: boolean;
}

/**
 * A program as it was written. Its function runs each time the program is built.
 * `T` is the kind of target that it attaches to.
 */
export interface ProgramSource<out T extends string = string> {
  readonly name: string;
  readonly hook: Hook & { readonly target: T };
  /** The intermediate form that the compiler takes. @throws {BuildError} */
  build(options?: BuildOptions): IrModule;
  /** The finished program. @throws {BuildError} */
  compile(options?: BuildOptions): Program<T>;
}

/** What a program does: a function that takes the builder and the context, and gives the program's result. */
export type ProgramBody<K extends Hook> = (b: Builder<K>, context: Context<K["context"]>) => ReturnOf<K>;

/** What a program may say of itself. */
export interface ProgramOptions {
  /** Licence for the kernel, which reserves some helpers for GPL-compatible programs. Default: `Dual MIT/GPL`. */
  readonly license?: string;
}

const LICENSE = "Dual MIT/GPL";

/**
 * Declares a program on a hook; `cgroup.connect4` and the like call it with
 * their own.
 *
 * @param name letters, digits and `_`; the kernel shows its first 15 bytes
 * @throws {RangeError} for another name
 * @example
 * ```ts
 * import { define, xdp, XdpAction } from "tsbpf";
 *
 * const dropAll = define(xdp.hook, "drop_all", () => XdpAction.DROP);
 * ```
 */
export function define<K extends Hook>(
  hook: K,
  name: string,
  body: ProgramBody<K>,
  { license = LICENSE }: ProgramOptions = {},
): ProgramSource<K["target"]> {
  if (!/^\w+$/.test(name))
    throw new RangeError(`program name ${JSON.stringify(name)}: use letters, digits and "_" only`);
  const source: ProgramSource<K["target"]> = {
    name,
    hook,
    build: ({ sources = true } = {}) => withSourceCapture(sources, () => describe(hook, name, body)),
    compile(options = {}) {
      const module = source.build(options);
      const { instructions, functions } = compile(module, options);
      return {
        name,
        license,
        instructions,
        functions,
        type: hook.type,
        section: hook.sections[0],
        target: hook.target,
        maps: mapsOf(module),
        ...(hook.expectedAttachType !== undefined && { expectedAttachType: hook.expectedAttachType }),
      };
    },
  };
  return source;
}

function describe<K extends Hook>(hook: K, name: string, body: ProgramBody<K>): IrModule {
  const functions: FunctionTable<BuilderImplementation> = new FunctionTable(
    (emitter, helpers) => new BuilderImplementation(emitter, helpers, functions),
  );
  const helpers = methodsOf(hook.helpers);
  const main = functions.write(name, ["ptr"], helpers, (builder, emitter, [context]) => {
    const result: unknown = body(
      builder as unknown as Builder<K>,
      contextView<K["context"]>(emitter, hook.context, context!),
    );
    return result === undefined || emitter.ssa.current.dead ? undefined : returnValue(emitter, result);
  });
  return { functions: [main, ...functions.all] };
}

/** Every map that a module refers to, in the order of first mention. */
function mapsOf(module: IrModule): MapDefinition[] {
  const maps = new Map<string, MapDefinition>();
  const note = (operation: Operation) => {
    if (operation.op !== "map" && operation.op !== "map-value") return;
    const { map } = operation;
    const known = maps.get(map.name);
    const difference = known && mapDifference(known, map);
    if (difference !== undefined) throw new BuildError(`two different maps are named ${map.name}: ${difference}`);
    if (known === undefined) maps.set(map.name, map);
  };
  for (const { blocks } of module.functions) {
    for (const { instructions } of blocks) instructions.forEach(({ operation }) => note(operation));
  }
  return [...maps.values()];
}
