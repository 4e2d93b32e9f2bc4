import { compile, type CompileOptions, type IrInstruction, type IrModule } from "../compiler/index.ts";
import { placeName, type Program, type SourceLocation } from "../asm/index.ts";
import type { Hook } from "../hooks/index.ts";
import { mapDifference, type MapDefinition } from "../types/index.ts";
import type { Builder } from "./builder.ts";
import { contextView, type Context } from "./context.ts";
import { BuildError } from "./errors.ts";
import { FunctionTable } from "./functions.ts";
import { methodsOf } from "./helpers/index.ts";
import { BuilderImplementation } from "./implementation.ts";
import { programResult } from "./result.ts";
import type { ReturnOf } from "./returns.ts";
import { placeOfCall, withSourceCapture } from "./source.ts";
import { placeOfResult } from "./usage/check.ts";

/** Options of building a program. */
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

/** The body of a program: from builder and context to the program's result. */
export type ProgramBody<K extends Hook> = (b: Builder<K>, context: Context<K["context"]>) => ReturnOf<K>;

/** Options of a program's declaration. */
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
  const declared = placeOfCall(define);
  const source: ProgramSource<K["target"]> = {
    name,
    hook,
    build: ({ sources = true } = {}) => withSourceCapture(sources, () => describe(hook, name, body, declared)),
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

function describe<K extends Hook>(
  hook: K,
  name: string,
  body: ProgramBody<K>,
  declared: () => SourceLocation | undefined,
): IrModule {
  const functions: FunctionTable<BuilderImplementation> = new FunctionTable(
    hook,
    (emitter, helpers) => new BuilderImplementation(emitter, helpers, functions),
  );
  const helpers = methodsOf(hook.helpers);
  const main = functions.write(name, ["ptr"], helpers, (builder, emitter, [context]) => {
    emitter.result = (result) => programResult(emitter, hook, result);
    const result: unknown = body(
      builder as unknown as Builder<K>,
      contextView<K["context"]>(emitter, hook.context, context!),
    );
    if (emitter.ssa.current.dead) return undefined;
    const source = declared();
    return programResult(emitter, hook, result, source && placeOfResult(source));
  });
  return { functions: [main, ...functions.all] };
}

/** Every map that a module refers to, in the order of first mention. */
function mapsOf(module: IrModule): MapDefinition[] {
  const maps = new Map<string, { readonly map: MapDefinition; readonly source: SourceLocation | undefined }>();
  const note = ({ operation, source }: IrInstruction) => {
    if (operation.op !== "map" && operation.op !== "map-value") return;
    const { map } = operation;
    const known = maps.get(map.name);
    const difference = known && mapDifference(known.map, map);
    if (difference !== undefined) {
      const first = known?.source === undefined ? "" : `, and the first is used at ${placeName(known.source)}`;
      throw new BuildError(
        `two different maps are named ${map.name}: give one another name, or declare it once and import it; ` +
          `${difference}${first}`,
        source,
      );
    }
    if (known === undefined) maps.set(map.name, { map, source });
  };
  for (const { blocks } of module.functions) {
    for (const { instructions } of blocks) instructions.forEach(note);
  }
  return Array.from(maps.values(), ({ map }) => map);
}
