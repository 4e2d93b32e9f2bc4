/** Object files made by clang or GCC (or by `writeObject`), as programs and maps. */
import { Btf, BtfBuilder, BtfError, CoreRelocations, kernelBtf, parseBtfExt, type BtfExt } from "../btf/index.ts";
import type { Program } from "../asm/index.ts";
import { ProgramType, type MapDefinition } from "../types/index.ts";
import { readCode, type CodeFunction, type CodeSection } from "./code.ts";
import { ElfError } from "./error.ts";
import { Externs } from "./externs.ts";
import { parseElf, type ElfFile, type Section } from "./file.ts";
import { R_BPF_64_ABS32, R_BPF_64_NODYLD32, SHF_ALLOC } from "./format.ts";
import { checkInitialized, globalsMap, isDataSection, mapName } from "./globals.ts";
import { parseKernelConfig } from "./kernel-config.ts";
import { addendsAreWhole, bodyOf, link, type LinkContext } from "./link.ts";
import { mapDefinition, type ObjectMap } from "./map-definitions.ts";
import { sectionMeaning } from "./section-names.ts";
import { sectionVariables, type SectionVariable } from "./variables.ts";

/** Options of `readObject`. */
export interface ReadOptions {
  /**
   * The prefix for maps of global variables, to keep those of two files apart:
   * with `counter` they are `counter.bss`, `counter.rodata`, …
   */
  readonly name?: string;
  /**
   * The types to relocate against (CO-RE); the running kernel's if absent. With
   * "self", the object's own: every field stays where the compiler saw it, and
   * nothing is asked of a kernel (weak symbols and configuration are 0).
   */
  readonly target?: Btf | "self";
  /**
   * The kernel's configuration for `__kconfig` variables, as lines like
   * `CONFIG_HZ=250`; the running kernel's if absent.
   */
  readonly kconfig?: string;
}

/** The contents of an object file. */
export interface ObjectFile {
  /**
   * Every program. One that uses something unsupported has the reason in
   * `unsupported`, and `load` refuses it; leave it out to load the others.
   */
  readonly programs: readonly Program[];
  /** All maps, used by a program or not; those of global variables are named by prefix and section. */
  readonly maps: readonly MapDefinition[];
  /** Names of the maps that the source declared with `LIBBPF_PIN_BY_NAME`. */
  readonly pinned: readonly string[];
  /** The text of section `license`; "" where there is none. */
  readonly license: string;
  /** The types of the object itself. */
  readonly btf: Btf;
  /** Everything in the file that could not be read: programs, maps and sections, each named in its error. */
  readonly unsupported: readonly ElfError[];
}

/**
 * Reads a BPF object file. Each program stands for itself: one that uses an
 * unsupported section, map or relocation does not affect the others. The
 * kernel's types are read only if the file has CO-RE relocations or weak kernel
 * functions. The initial values of global variables are views of `bytes`.
 * @throws {ElfError} for a file that is malformed as a whole
 *
 * @example
 * ```ts
 * import { readFileSync } from "node:fs";
 * import { readObject } from "tsbpf/elf";
 * import { load } from "tsbpf";
 *
 * const object = readObject(readFileSync("counter.bpf.o"));
 * for (const error of object.unsupported) console.warn(error.message);
 * using loaded = load(object.programs.filter(({ unsupported }) => unsupported === undefined));
 * console.log([...loaded.programs.keys()]);
 * ```
 */
export function readObject(bytes: Uint8Array, options: ReadOptions = {}): ObjectFile {
  const elf = parseElf(bytes);
  try {
    return read(elf, options);
  } catch (error) {
    if (error instanceof BtfError) throw new ElfError(error.message, { section: ".BTF", cause: error });
    throw error;
  }
}

function read(elf: ElfFile, { name = "", target: wanted, kconfig }: ReadOptions): ObjectFile {
  const section = (name: string) => elf.sections.find((candidate) => candidate.name === name && candidate.index !== 0);
  const btfSection = section(".BTF");
  const extSection = section(".BTF.ext");
  const btf = new Btf(btfSection === undefined ? new BtfBuilder().encode() : relocateBtf(elf, btfSection));
  const target = () => (wanted === "self" ? btf : (wanted ?? kernelBtf()));
  const ext: BtfExt =
    extSection === undefined
      ? { functions: new Map(), lines: new Map(), core: new Map() }
      : parseBtfExt(extSection.data, btf);
  const license = readLicense(section("license"));
  const unsupported: ElfError[] = elf.sections.flatMap(unsupportedSection);
  const maps = readMaps(elf, section(".maps"), btf, btfSection !== undefined);
  unsupported.push(...maps.faults.values());

  const code = readCode(elf, { btf, ext }, new CoreRelocations(btf, target));
  const globals = once((candidate: Section) => globalsMap(elf, candidate, btf, name));
  const externs = new Externs({
    btf,
    target,
    offline: wanted === "self",
    config: kconfig === undefined ? undefined : parseKernelConfig(kconfig),
    mapName: mapName(`${name}.kconfig`),
  });
  const context: LinkContext = {
    code,
    mapsSection: maps.section,
    mapAt(offset) {
      const fault = maps.faults.get(offset);
      if (fault !== undefined) throw fault;
      return maps.maps.get(offset)?.definition;
    },
    globals(candidate, offset) {
      if (!isDataSection(candidate)) return undefined;
      const map = globals.get(candidate);
      checkInitialized(elf, candidate, btf, offset);
      return map;
    },
    addendsAreWhole: addendsAreWhole(elf, code),
    externs,
  };
  const programs = [...code.values()]
    .filter(({ name }) => name !== ".text")
    .flatMap((each) => readPrograms(each, context, license));
  for (const program of programs) {
    const error = program.unsupported as ElfError | undefined;
    if (error !== undefined && !unsupported.includes(error)) unsupported.push(error);
  }
  const definitions = [...maps.maps.values()];
  return {
    programs,
    maps: [...definitions.map(({ definition }) => definition), ...globals.made(), ...externs.maps()],
    pinned: definitions.filter(({ pinned }) => pinned).map(({ definition }) => definition.name),
    license,
    btf,
    unsupported,
  };
}

/** Calls a function once for each argument: the second time it gives the same value, or throws the same error. */
function once<A, T>(make: (argument: A) => T): { get(argument: A): T; made(): T[] } {
  const results = new Map<A, { readonly value: T } | { readonly error: unknown }>();
  return {
    get(argument) {
      let result = results.get(argument);
      if (result === undefined) {
        try {
          result = { value: make(argument) };
        } catch (error) {
          result = { error };
        }
        results.set(argument, result);
      }
      if ("error" in result) throw result.error;
      return result.value;
    },
    made: () => [...results.values()].flatMap((result) => ("value" in result ? [result.value] : [])),
  };
}

/** Sections that hold something a loader has to act on, and this one cannot. */
function unsupportedSection(section: Section): ElfError[] {
  const fail = (reason: string) => [new ElfError(reason, { section: section.name })];
  if ((section.flags & SHF_ALLOC) === 0 || section.size === 0) return [];
  if (/^\.struct_ops(\.|$)/.test(section.name))
    return fail("it defines kernel operations (struct_ops), which are not supported: register them with libbpf");
  if (/^\.arena(\.|$)/.test(section.name)) return fail("it holds variables of an arena, which are not supported");
  if (section.name === "maps") return fail(OLD_MAPS);
  return [];
}

const OLD_MAPS =
  "maps in the style before BTF are not supported (nor by libbpf since 1.0): declare them in section .maps";

/** The object's BTF with the offsets of variables filled in, which clang leaves to relocations. */
function relocateBtf(elf: ElfFile, section: Section): Uint8Array {
  const relocations = elf.relocations.get(section.index) ?? [];
  if (relocations.length === 0) return section.data;
  const bytes = section.data.slice();
  const view = new DataView(bytes.buffer);
  for (const { offset, type, symbol } of relocations) {
    if ((type !== R_BPF_64_NODYLD32 && type !== R_BPF_64_ABS32) || offset + 4 > bytes.length) {
      throw new ElfError(`a relocation of type ${type} at byte ${offset} of ${bytes.length}`, {
        section: section.name,
        symbol: symbol.name,
      });
    }
    view.setUint32(offset, view.getUint32(offset, true) + symbol.value, true);
  }
  return bytes;
}

function readLicense(section: Section | undefined): string {
  if (section === undefined) return "";
  const end = section.data.indexOf(0);
  return Buffer.from(section.data.subarray(0, end < 0 ? undefined : end)).toString();
}

/** The maps of section `.maps`, and why others cannot be used, by byte offset. */
interface Maps {
  readonly maps: ReadonlyMap<number, ObjectMap>;
  readonly faults: ReadonlyMap<number, ElfError>;
  readonly section: number | undefined;
}

function readMaps(elf: ElfFile, section: Section | undefined, btf: Btf, hasBtf: boolean): Maps {
  const maps = new Map<number, ObjectMap>();
  const faults = new Map<number, ElfError>();
  if (section === undefined) return { maps, faults, section: undefined };
  const fail = (reason: string, symbol?: string) =>
    new ElfError(reason, { section: ".maps", ...(symbol === undefined ? {} : { symbol }) });
  const variables = sectionVariables(elf, section, btf);
  if (variables === undefined)
    throw fail(
      hasBtf ? "the BTF does not describe its maps" : "there are maps, but no BTF to describe them: compile with -g",
    );
  const read = ({ type, offset }: SectionVariable): void => {
    if (maps.has(offset)) throw fail("another map is at the same place", btf.name(type));
    maps.set(offset, mapDefinition(btf, type));
  };
  for (const variable of variables) {
    try {
      read(variable);
    } catch (error) {
      if (!(error instanceof ElfError) && !(error instanceof BtfError)) throw error;
      faults.set(variable.offset, error instanceof ElfError ? error : fail(error.message, btf.name(variable.type)));
    }
  }
  return { maps, faults, section: section.index };
}

function readPrograms(code: CodeSection, context: LinkContext, license: string): Program[] {
  const mains = [...code.functions.values()].filter((each) => each.global);
  return mains.map((main) => {
    const meaning = sectionMeaning(code.name);
    const place = { section: code.name, symbol: main.name };
    const program = { name: main.name, type: ProgramType.UNSPEC, ...meaning, section: code.name, license };
    try {
      const linked = link(main, context);
      if (meaning !== undefined) return { ...program, ...linked };
      const unsupported = new ElfError(
        "the section's name gives no program type that can be loaded from the name alone: " +
          "programs for a kernel function or type (fentry, fexit, fmod_ret, lsm, tp_btf, iter, freplace, struct_ops) " +
          "and flags such as xdp.frags are not supported",
        place,
      );
      return { ...program, ...linked, unsupported };
    } catch (error) {
      if (!(error instanceof ElfError) && !(error instanceof BtfError)) throw error;
      const unsupported = error instanceof ElfError ? error : new ElfError(error.message, { ...place, cause: error });
      return { ...program, ...unlinked(main), unsupported };
    }
  });
}

/** A function by itself, with its references open, to be looked at only. */
function unlinked(main: CodeFunction): Pick<Program, "instructions" | "functions" | "maps"> {
  const instructions = [...bodyOf(main)].map(({ instruction }) => instruction);
  return { instructions, functions: [{ name: main.name, start: 0 }], maps: [] };
}
