import { compile, type CompileOptions } from "../compiler/index.ts";
import type { IrModule, Operation, Value } from "../compiler/ir/ir.ts";
import type { MapDefinition } from "../types/index.ts";
import type { Program } from "../asm/index.ts";
import type { Builder } from "./builder.ts";
import { placeAt, type Emitter } from "./emitter.ts";
import { BuildError } from "./errors.ts";
import { FunctionTable } from "./functions.ts";
import { standsFor, type HelperMethod } from "./helpers.ts";
import type { Context, ContextField, ContextFields, ContextPointer, Hook, KernelPointer } from "./hooks/hook.ts";
import { BuilderImplementation } from "./implementation.ts";
import { Ipv6Value } from "./ipv6.ts";
import { returnValue } from "./nullable.ts";
import { FieldValue } from "./scalar.ts";
import { withSourceCapture } from "./source.ts";

/** How a program is built. */
export interface BuildOptions extends CompileOptions {
  /** Keep the line of TypeScript of each instruction; true unless said otherwise. */
  readonly sources?: boolean;
}

/** A program as it was written. It is run, to describe its instructions, each time it is built. */
export interface ProgramSource {
  readonly name: string;
  readonly hook: Hook;
  /** The intermediate form, as the compiler is given it. */
  build(options?: BuildOptions): IrModule;
  /** The finished program. */
  compile(options?: BuildOptions): Program;
}

/** What a program consists of: it is given the builder and its context, and gives the program's result. */
export type ProgramBody<C extends ContextFields, R, H extends HelperMethod, S extends string> = (
  b: Builder<R, H, S>,
  context: Context<C>,
) => R;

/** The licence told to the kernel where a program says nothing else; some helpers are for GPL-compatible programs only. */
const LICENSE = "Dual MIT/GPL";

/** Declares a program on a hook. */
export function define<C extends ContextFields, R, H extends HelperMethod, S extends string>(
  hook: Hook<C, R, H, S>,
  name: string,
  body: ProgramBody<C, R, H, S>,
  { license = LICENSE }: { license?: string } = {},
): ProgramSource {
  if (!/^\w+$/.test(name))
    throw new RangeError(`a program's name consists of letters, digits and "_", unlike ${JSON.stringify(name)}`);
  const source: ProgramSource = {
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
        section: hook.section,
        maps: mapsOf(module),
        ...(hook.expectedAttachType !== undefined && { expectedAttachType: hook.expectedAttachType }),
      };
    },
  };
  return source;
}

function describe<C extends ContextFields, R, H extends HelperMethod, S extends string>(
  hook: Hook<C, R, H, S>,
  name: string,
  body: ProgramBody<C, R, H, S>,
): IrModule {
  const functions = new FunctionTable((...given) => new BuilderImplementation(...given));
  const main = functions.write(name, ["ptr"], hook.helpers, (builder, emitter, [context]) => {
    const result = body(builder as unknown as Builder<R, H, S>, contextView(emitter, hook.context, context!));
    return result === undefined || emitter.ssa.current.dead ? undefined : returnValue(emitter, result);
  });
  return { functions: [main, ...functions.all] };
}

/** The typed view of the context that arrives in r1. */
function contextView<C extends ContextFields>(emitter: Emitter, fields: C, address: Value): Context<C> {
  const view = {};
  const place = { space: "context", address, offset: 0, align: 8, region: emitter.region } as const;
  const read = ({ offset, kind, size }: ContextField) => new FieldValue(emitter, kind, placeAt(place, offset), size);
  for (const [name, field] of Object.entries(fields)) {
    let get: () => unknown;
    if ("pointer" in field) {
      get = () => {
        emitter.mark(get);
        // The fields that give a packet's bounds are 32 bits wide, though the verifier puts pointers there.
        const size = field.pointer.startsWith("packet") ? 4 : 8;
        const value = emitter.load(placeAt(place, field.offset), size, "ptr");
        return pointerView(emitter, field, value);
      };
    } else if ("count" in field) {
      get = () => {
        emitter.mark(get);
        return new Ipv6Value(emitter, placeAt(place, field.element.offset));
      };
    } else {
      get = () => {
        emitter.mark(get);
        return read(field);
      };
    }
    Object.defineProperty(view, name, { enumerable: true, get });
  }
  return standsFor(view as Context<C>, () => address);
}

/** A pointer from the context, with the fields that may be read through it. */
function pointerView(emitter: Emitter, { pointer, fields }: ContextPointer, address: Value): KernelPointer<string> {
  const view = { points: pointer };
  const place = { space: "kernel", address, offset: 0, align: 8, region: emitter.region } as const;
  for (const [name, { offset, kind, size }] of Object.entries(fields)) {
    const get = (): unknown => {
      emitter.mark(get);
      return new FieldValue(emitter, kind, placeAt(place, offset), size);
    };
    Object.defineProperty(view, name, { enumerable: true, get });
  }
  return standsFor(view, () => address);
}

/** Every map that a module refers to, in the order of first mention. */
function mapsOf(module: IrModule): MapDefinition[] {
  const maps = new Map<string, MapDefinition>();
  const note = (operation: Operation) => {
    if (operation.op !== "map" && operation.op !== "map-value") return;
    const { map } = operation;
    const known = maps.get(map.name);
    if (known !== undefined && known !== map) throw new BuildError(`two different maps are named ${map.name}`);
    maps.set(map.name, map);
  };
  for (const { blocks } of module.functions) {
    for (const { instructions } of blocks) instructions.forEach(({ operation }) => note(operation));
  }
  return [...maps.values()];
}
