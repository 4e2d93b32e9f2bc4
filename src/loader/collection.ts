import { programBtf } from "../btf/index.ts";
import { BpfError, linux, type Fd, type Kernel, type ProgramBtfRecords } from "../kernel/index.ts";
import { withMaxEntries, type CompilableProgram, type MapDefinition, type Program } from "../types/index.ts";
import { acceptedBtf } from "./accepted-btf.ts";
import { LoaderError } from "./error.ts";
import { instructionSetLevel } from "./features.ts";
import { createDeclaredMap, checkPinnedMap } from "./map-create.ts";
import type { PinDirectory } from "./pins.ts";
import { kernelFunctionId, relocate } from "./relocate.ts";
import { openMap, type MapHandle } from "./typed-map.ts";
import { Undo } from "./undo.ts";

export interface LoadOptions {
  /** Maps that no program refers to and that are to be there all the same. */
  readonly maps?: readonly MapDefinition[];
  /** Elements by name of map, in place of what its declaration says. */
  readonly maxEntries?: Readonly<Record<string, number>>;
  /** Maps pinned in this directory are used in place of new ones. */
  readonly pins?: PinDirectory | undefined;
  /**
   * Whether maps and programs get BTF, with functions and source lines: true if
   * absent. What the kernel does not take is left out; socket storage and its
   * like have BTF in any case.
   */
  readonly btf?: boolean;
  /** Whether the source lines come with their text, read from the files: true if absent. */
  readonly sourceText?: boolean;
  /** 0: the verifier's log only when it refuses (the default); 1: always; 2: with every state; 4: only the statistics. */
  readonly logLevel?: 0 | 1 | 2 | 4;
  readonly kernel?: Kernel;
}

/** A program in the kernel. */
export interface LoadedProgram {
  readonly program: Program;
  readonly fd: Fd;
  /** What the verifier said; empty at log level 0. */
  readonly log: string;
}

/**
 * Creates the maps of some programs, each once, and loads the programs. Those
 * that are not compiled yet are, for the instruction set that this kernel has.
 * Everything or nothing: where one is refused, nothing stays.
 *
 * Nothing is attached or pinned: it all goes when the collection is closed,
 * unless `attach` has pinned it.
 *
 * @throws {VerifierError} where the verifier refuses a program
 * @throws {BpfError} where the kernel refuses something else
 * @throws {LoaderError} where declarations contradict each other, or a pinned map is another
 */
export function load(sources: readonly (Program | CompilableProgram)[], options: LoadOptions = {}): Collection {
  const { kernel = linux, pins } = options;
  const programs = sources.map((source) =>
    "compile" in source ? source.compile({ isa: instructionSetLevel(kernel) }) : source,
  );
  const withBtf = options.btf ?? true;
  const definitions = declaredMaps(programs, options);
  return Undo.run((undo) => {
    const keep = (fd: Fd): Fd => {
      undo.add(() => fd.close());
      return fd;
    };
    const maps = new Map<string, LoadedMap>();
    for (const definition of definitions) {
      // What is frozen belongs to the program that it was made for: another program's has another value.
      const pinned = definition.frozen === true ? undefined : pins?.openPinnedMap(definition.name);
      const fd = keep(pinned ?? createDeclaredMap(definition, kernel, withBtf));
      if (pinned) checkPinnedMap(kernel.mapInfo(pinned), definition, pins!.path("maps", definition.name));
      maps.set(definition.name, { definition, fd, reused: pinned !== undefined });
    }
    const numbers = {
      map: (name: string) => maps.get(name)!.fd.number,
      kernelFunction: kernelFunctionId,
    };
    const loaded = new Map<string, LoadedProgram>();
    for (const program of programs) {
      const { fd, log } = loadOne(program, relocate(program, numbers), withBtf, options, kernel);
      loaded.set(program.name, { program, fd: keep(fd), log });
    }
    return new Collection(loaded, maps, kernel);
  });
}

/** A map in the kernel. */
export interface LoadedMap {
  readonly definition: MapDefinition;
  readonly fd: Fd;
  /** It was pinned before. */
  readonly reused: boolean;
}

/** Programs and maps in the kernel, held by descriptors of this process. */
export class Collection {
  readonly programs: ReadonlyMap<string, LoadedProgram>;
  readonly maps: ReadonlyMap<string, LoadedMap>;
  readonly kernel: Kernel;
  readonly #handles = new Map<string, MapHandle<MapDefinition>>();

  constructor(programs: ReadonlyMap<string, LoadedProgram>, maps: ReadonlyMap<string, LoadedMap>, kernel: Kernel) {
    this.programs = programs;
    this.maps = maps;
    this.kernel = kernel;
  }

  /**
   * The handle of a map; it is closed with the collection.
   * @throws {LoaderError} where the collection has no map of that name
   */
  map<D extends MapDefinition>(definition: D): MapHandle<D> {
    const found = this.maps.get(definition.name);
    if (found === undefined) throw new LoaderError(`no program uses map ${definition.name}, so it was not created`);
    let handle = this.#handles.get(definition.name);
    if (handle === undefined)
      this.#handles.set(definition.name, (handle = openMap(found.definition, found.fd, this.kernel)));
    return handle as unknown as MapHandle<D>;
  }

  /** @throws {LoaderError} where there is no program of that name */
  program(name: string): LoadedProgram {
    const found = this.programs.get(name);
    if (found === undefined) throw new LoaderError(`no program ${name} was loaded`);
    return found;
  }

  /** Closes all descriptors. What is pinned or attached by a pinned link stays. */
  close(): void {
    for (const { fd } of this.programs.values()) fd.close();
    for (const { fd } of this.maps.values()) fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The maps of all programs, each once, with the sizes asked for. */
function declaredMaps(programs: readonly Program[], { maps = [], maxEntries = {} }: LoadOptions): MapDefinition[] {
  const found = new Map<string, MapDefinition>();
  for (const definition of [...programs.flatMap((program) => program.maps), ...maps]) {
    const other = found.get(definition.name);
    if (other !== undefined && other !== definition && !sameDefinition(other, definition)) {
      throw new LoaderError(
        `two different maps are called ${definition.name}: ${describe(other)} and ${describe(definition)}`,
      );
    }
    found.set(definition.name, other ?? definition);
  }
  const seen = new Set<string>();
  for (const { name } of programs) {
    if (seen.has(name)) throw new LoaderError(`two programs are called ${name}`);
    seen.add(name);
  }
  for (const name of Object.keys(maxEntries)) {
    if (!found.has(name)) throw new LoaderError(`a number of entries was given for map ${name}, which no program uses`);
  }
  return [...found.values()].map((definition) => {
    const wanted = maxEntries[definition.name];
    return wanted === undefined ? definition : withMaxEntries(definition, wanted);
  });
}

function sameDefinition(a: MapDefinition, b: MapDefinition): boolean {
  return (
    describe(a) === describe(b) &&
    Buffer.compare(a.initialValue ?? Buffer.alloc(0), b.initialValue ?? Buffer.alloc(0)) === 0
  );
}

function describe({ type, key, value, maxEntries, flags }: MapDefinition): string {
  return `type ${type}, key ${key} of ${key.size} bytes, value ${value} of ${value.size} bytes, ${maxEntries} entries, flags ${flags}`;
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
    // Nothing but readability hangs on it.
    if (!(error instanceof BpfError)) throw error;
    return attempt();
  }
  try {
    return attempt(accepted);
  } finally {
    accepted?.fd.close();
  }
}
