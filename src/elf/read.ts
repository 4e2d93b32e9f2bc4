/** Object files made by clang (or by `writeObject`), as programs and maps. */
import { Btf, BtfBuilder, BtfError, kernelBtf, parseBtfExt, type BtfExt } from "../btf/index.ts";
import type { MapDefinition } from "../types/index.ts";
import type { Program } from "../asm/index.ts";
import { isCode, readCode, type CodeSection } from "./code.ts";
import { ElfError } from "./error.ts";
import { parseElf, type ElfFile, type Section } from "./file.ts";
import { R_BPF_64_ABS32, R_BPF_64_NODYLD32 } from "./format.ts";
import { globalsMap, isDataSection } from "./globals.ts";
import { link, type LinkContext } from "./link.ts";
import { mapDefinition, type ObjectMap } from "./map-definitions.ts";
import { sectionMeaning } from "./section-names.ts";

export interface ReadOptions {
  /**
   * What the maps of global variables are named after, so that those of two files
   * do not mix: with `counter` they are `counter.bss`, `counter.rodata`, …
   */
  readonly name?: string;
  /**
   * The types to relocate against (CO-RE); the running kernel's if absent. "self"
   * are the object's own: every field stays where the compiler saw it.
   */
  readonly target?: Btf | "self";
}

/** What an object file holds. */
export interface ObjectFile {
  readonly programs: readonly Program[];
  /** All maps, used by a program or not; those of global variables are named like their section, behind the name given. */
  readonly maps: readonly MapDefinition[];
  /** Names of the maps that the source declared with `LIBBPF_PIN_BY_NAME`. */
  readonly pinned: readonly string[];
  /** As in section `license`; "" where there is none. */
  readonly license: string;
  /** The types of the object itself. */
  readonly btf: Btf;
}

/**
 * Reads a BPF object file. The kernel's BTF is read only if the file has CO-RE
 * relocations. The initial values of global variables are views of `bytes`.
 * @throws {ElfError} for what is malformed or not supported; it names section and symbol.
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

function read(elf: ElfFile, { name = "", target: wanted }: ReadOptions): ObjectFile {
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
  const { maps, mapsSection } = readMaps(section(".maps"), btf, btfSection !== undefined);
  if (section("maps") !== undefined && mapsSection === undefined) {
    throw new ElfError(
      "maps in the style before BTF are not supported (nor by libbpf since 1.0): declare them in section .maps",
      { section: "maps" },
    );
  }

  const code = new Map<number, CodeSection>();
  for (const candidate of elf.sections)
    if (isCode(candidate)) code.set(candidate.index, readCode(elf, candidate, { btf, ext, target }));

  const globals = new Map<number, MapDefinition>();
  const mapOf = (candidate: Section): MapDefinition | undefined => {
    if (!isDataSection(candidate)) return undefined;
    let map = globals.get(candidate.index);
    if (map === undefined) {
      map = globalsMap(elf, candidate, btf, name);
      globals.set(candidate.index, map);
    }
    return map;
  };
  const context: LinkContext = {
    code,
    maps: new Map([...maps].map(([offset, { definition }]) => [offset, definition])),
    mapsSection,
    globals: mapOf,
  };
  const programs = [...code.values()]
    .filter(({ name }) => name !== ".text")
    .flatMap((each) => readPrograms(each, context, license));
  const definitions = [...maps.values()];
  return {
    programs,
    maps: [...definitions.map(({ definition }) => definition), ...globals.values()],
    pinned: definitions.filter(({ pinned }) => pinned).map(({ definition }) => definition.name),
    license,
    btf,
  };
}

/** In the object, BTF says by relocation where the variables of a section are. */
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

function readMaps(
  section: Section | undefined,
  btf: Btf,
  hasBtf: boolean,
): { maps: Map<number, ObjectMap>; mapsSection: number | undefined } {
  const maps = new Map<number, ObjectMap>();
  if (section === undefined) return { maps, mapsSection: undefined };
  const id = btf.find("datasec", ".maps");
  const type = id === undefined ? undefined : btf.type(id);
  if (type?.kind !== "datasec") {
    throw new ElfError(
      hasBtf ? "the BTF says nothing of its maps" : "there are maps, but no BTF to say which: compile with -g",
      { section: ".maps" },
    );
  }
  for (const variable of type.variables) {
    if (btf.kind(variable.type) !== "var")
      throw new ElfError(
        `type ${variable.type} is said to be one of its variables, but is a ${btf.kind(variable.type)}`,
        { section: ".maps" },
      );
    const map = mapDefinition(btf, variable.type);
    if (maps.has(variable.offset))
      throw new ElfError("another map is at the same place", { section: ".maps", symbol: map.definition.name });
    maps.set(variable.offset, map);
  }
  return { maps, mapsSection: section.index };
}

function readPrograms(code: CodeSection, context: LinkContext, license: string): Program[] {
  const mains = [...code.functions.values()].filter((each) => each.global);
  return mains.map((main) => {
    const meaning = sectionMeaning(code.name);
    if (meaning === undefined) {
      throw new ElfError(
        "this section name says no program type that can be loaded by its name alone " +
          "(programs attached to kernel functions, such as fentry, lsm, iter and struct_ops, and flags such as xdp.frags are not supported)",
        { section: code.name, symbol: main.name },
      );
    }
    return { name: main.name, ...meaning, section: code.name, ...link(main, context), license };
  });
}
