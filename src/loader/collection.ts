import { programBtf } from "../btf/index.ts";
import { BpfError, linux, type Fd, type Kernel, type ProgramBtfRecords } from "../kernel/index.ts";
import type { CompilableProgram, Program } from "../asm/index.ts";
import { mapDifference, schemaDifference, withMaxEntries, type MapDefinition } from "../types/index.ts";
import { acceptedBtf } from "./accepted-btf.ts";
import { LoaderError } from "./error.ts";
import { instructionSetLevel } from "./features.ts";
import { createDeclaredMap, checkPinnedMap } from "./map-create.ts";
import { LoadedProgram } from "./loaded-program.ts";
import type { PinDirectory } from "./pins.ts";
import { kernelFunctionId, relocate } from "./relocate.ts";
import { openMap, type MapHandle } from "./typed-map.ts";
import { Rollback } from "./rollback.ts";

/** Options of `load`. */
export interface LoadOptions {
  /** Maps to create although no program refers to them. */
  readonly maps?: readonly MapDefinition[];
  /** The number of elements by map name; overrides the declaration. */
  readonly maxEntries?: Readonly<Record<string, number>>;
  /** Maps pinned in this directory are reused instead of created. */
  readonly pins?: PinDirectory | undefined;
  /**
   * Whether maps and programs get BTF, with functions and source lines; true by default. Parts that the kernel
   * does not support are omitted. Socket storage and similar maps always have BTF, since they need it.
   */
  readonly btf?: boolean;
  /** Whether source lines include their text, read from the files; true by default. */
  readonly sourceText?: boolean;
  /** 0: the verifier's log only on refusal (default); 1: always; 2: with every state; 4: statistics only. */
  readonly logLevel?: 0 | 1 | 2 | 4;
  readonly kernel?: Kernel;
}

/**
 * Creates the maps of some programs, each once, and loads the programs. Programs that are not compiled yet are
 * compiled for the running kernel's instruction set. If one step fails, everything is undone.
 *
 * Nothing is attached or pinned: closing the collection removes it all, except what `attach` has pinned.
 *
 * @throws {VerifierError} if the verifier refuses a program
 * @throws {BpfError} if the kernel refuses another step
 * @throws {LoaderError} if declarations contradict each other, a pinned map differs from its declaration, or a
 * program is unsupported (`Program.unsupported`)
 * @example
 * ```ts
 * import { array, cgroup, load, PROCEED, u64 } from "tsbpf";
 *
 * const calls = array("calls", { value: u64, maxEntries: 1 });
 * const count = cgroup.connect4("count", (b) => {
 *   b.lookup(calls, 0).ifFound((counter) => counter.value.atomicAdd(1));
 *   return PROCEED;
 * });
 * using loaded = load([count]);
 * console.log(loaded.map(calls).get(0));
 * ```
 */
export function load<T extends string = string>(
  sources: readonly (Program<T> | CompilableProgram<T>)[],
  options: LoadOptions = {},
): Collection<T> {
  const { kernel = linux, pins } = options;
  const programs = sources.map((source) =>
    "compile" in source ? source.compile({ isa: instructionSetLevel(kernel) }) : source,
  );
  for (const program of programs) checkSupported(program);
  const withBtf = options.btf ?? true;
  const definitions = declaredMaps(programs, options);
  return Rollback.run((rollback) => {
    const keep = (fd: Fd): Fd => {
      rollback.onFailure(() => fd.close());
      return fd;
    };
    const maps = new Map<string, LoadedMap>();
    for (const definition of definitions) {
      // A frozen map belongs to one load: another load may freeze another value.
      const pinned = definition.frozen === true ? undefined : pins?.openPinnedMap(definition.name);
      const fd = keep(pinned ?? createDeclaredMap(definition, kernel, withBtf));
      if (pinned) checkPinnedMap(kernel.mapInfo(pinned), definition, pins!.path("maps", definition.name));
      maps.set(definition.name, { definition, fd, reused: pinned !== undefined });
    }
    const numbers = {
      map: (name: string) => maps.get(name)!.fd.number,
      kernelFunction: kernelFunctionId,
    };
    const loaded = new Map<string, LoadedProgram<T>>();
    for (const program of programs) {
      const { fd, log } = loadOne(program, relocate(program, numbers), withBtf, options, kernel);
      loaded.set(program.name, new LoadedProgram(program, { fd: keep(fd), log }, kernel));
    }
    return new Collection(loaded, maps, kernel);
  });
}

function checkSupported({ name, unsupported }: Program): void {
  if (unsupported === undefined) return;
  throw new LoaderError(`program ${name} cannot be loaded: ${unsupported.message}`, {
    hint: "the file's other programs can: load those whose `unsupported` is undefined",
    cause: unsupported,
  });
}

/** A map in the kernel. */
export interface LoadedMap {
  readonly definition: MapDefinition;
  readonly fd: Fd;
  /** Whether the map was pinned before this load. */
  readonly reused: boolean;
}

/**
 * Programs and maps in the kernel, held by descriptors of this process. `T` is what the programs attach to.
 *
 * @example
 * ```ts
 * import { array, cgroup, load, PROCEED, u64 } from "tsbpf";
 *
 * const calls = array("calls", { value: u64, maxEntries: 1 });
 * const count = cgroup.connect4("count", (b) => {
 *   b.lookup(calls, 0).ifFound((counter) => counter.value.atomicAdd(1));
 *   return PROCEED;
 * });
 * using loaded = load([count]);
 * console.log(loaded.map(calls).get(0), loaded.program("count").fd.number);
 * ```
 */
export class Collection<out T extends string = string> {
  readonly programs: ReadonlyMap<string, LoadedProgram<T>>;
  readonly maps: ReadonlyMap<string, LoadedMap>;
  readonly kernel: Kernel;
  readonly #handles = new Map<MapDefinition, MapHandle<MapDefinition>>();

  constructor(programs: ReadonlyMap<string, LoadedProgram<T>>, maps: ReadonlyMap<string, LoadedMap>, kernel: Kernel) {
    this.programs = programs;
    this.maps = maps;
    this.kernel = kernel;
  }

  /**
   * The handle of a map, for reading and writing its elements. It is closed with the collection.
   * @throws {LoaderError} if the collection has no map of that name, or one with another key or value
   */
  map<D extends MapDefinition>(definition: D): MapHandle<D> {
    const found = this.maps.get(definition.name);
    if (found === undefined) {
      throw new LoaderError(`cannot open map ${definition.name}: it was not created, since no loaded program uses it`, {
        hint: "list it in the option maps of load",
      });
    }
    let handle = this.#handles.get(definition);
    if (handle === undefined) {
      for (const part of ["key", "value"] as const) {
        const difference = schemaDifference(found.definition[part], definition[part]);
        if (difference !== undefined)
          throw new LoaderError(
            `cannot open map ${definition.name}: it was created with another ${part}: ${difference}`,
          );
      }
      handle = openMap<MapDefinition>(definition, found.fd, this.kernel);
      this.#handles.set(definition, handle);
    }
    return handle as unknown as MapHandle<D>;
  }

  /**
   * A loaded program by name.
   * @throws {LoaderError} if there is none of that name
   */
  program(name: string): LoadedProgram<T> {
    const found = this.programs.get(name);
    if (found === undefined)
      throw new LoaderError(
        `cannot find program ${name}: the loaded ones are ${[...this.programs.keys()].join(", ") || "none"}`,
      );
    return found;
  }

  /** Closes all descriptors. Pinned objects stay, and so do programs attached by pinned links. */
  close(): void {
    for (const { fd } of this.programs.values()) fd.close();
    for (const { fd } of this.maps.values()) fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The maps of all programs, each once, with the requested sizes. */
function declaredMaps(programs: readonly Program[], { maps = [], maxEntries = {} }: LoadOptions): MapDefinition[] {
  const found = new Map<string, MapDefinition>();
  for (const definition of [...programs.flatMap((program) => program.maps), ...maps]) {
    const other = found.get(definition.name);
    const difference = other && mapDifference(other, definition);
    if (difference !== undefined)
      throw new LoaderError(`cannot load: two different maps are called ${definition.name}: ${difference}`);
    found.set(definition.name, other ?? definition);
  }
  const seen = new Set<string>();
  for (const { name } of programs) {
    if (seen.has(name)) throw new LoaderError(`cannot load: two programs are called ${name}`);
    seen.add(name);
  }
  for (const name of Object.keys(maxEntries)) {
    if (!found.has(name))
      throw new LoaderError(`cannot set maxEntries of map ${name}: no program uses a map of that name`);
  }
  return [...found.values()].map((definition) => {
    const wanted = maxEntries[definition.name];
    return wanted === undefined ? definition : withMaxEntries(definition, wanted);
  });
}

function loadOne(
  program: Program,
  code: Uint8Array,
  withBtf: boolean,
  { logLevel, sourceText = true }: LoadOptions,
  kernel: Kernel,
): { fd: Fd; log: string } {
  const attempt = (btf?: ProgramBtfRecords) =>
    kernel.loadProgram({
      name: program.name,
      type: program.type,
      code,
      instructions: program.instructions,
      license: program.license,
      ...(program.expectedAttachType !== undefined && { expectedAttachType: program.expectedAttachType }),
      ...(logLevel !== undefined && { logLevel }),
      ...(btf && { btf }),
    });
  if (!withBtf) return attempt();
  let accepted: (ProgramBtfRecords & { readonly fd: Fd }) | undefined;
  try {
    accepted = acceptedBtf(
      (features) => programBtf(program, { features, sourceText }),
      `program ${program.name}`,
      kernel,
    );
  } catch (error) {
    // BTF only helps readers: load without it.
    if (!(error instanceof BpfError)) throw error;
    return attempt();
  }
  try {
    return attempt(accepted);
  } finally {
    accepted?.fd.close();
  }
}
