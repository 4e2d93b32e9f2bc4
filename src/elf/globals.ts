/** Global variables: each data section becomes an array map of one element, as in libbpf. */
import { bytes, sectionSchema, type Btf } from "../btf/index.ts";
import { MapFlag, MapType, u32, type MapDefinition } from "../types/index.ts";
import { ElfError } from "./error.ts";
import type { ElfFile, Section } from "./file.ts";
import { SHF_ALLOC, SHF_EXECINSTR, SHT_NOBITS, SHT_PROGBITS } from "./format.ts";
import { sectionVariables } from "./variables.ts";

/** Whether a section holds variables: `.data`, `.bss`, `.rodata`, or one of them with a suffix (`.data.rel.ro`). */
export function isDataSection(section: Section): boolean {
  return (
    (section.type === SHT_PROGBITS || section.type === SHT_NOBITS) &&
    (section.flags & SHF_ALLOC) !== 0 &&
    (section.flags & SHF_EXECINSTR) === 0 &&
    /^\.(data|bss|rodata)(\.|$)/.test(section.name)
  );
}

/** The map for a data section's variables. @throws {ElfError} which names the section */
export function globalsMap(elf: ElfFile, section: Section, btf: Btf, prefix: string): MapDefinition {
  if (section.size === 0 || section.size > MAX_SIZE)
    throw new ElfError(`a data section of ${section.size} bytes cannot be a map's value`, { section: section.name });
  const readOnly = section.name.startsWith(".rodata");
  // A section without content is zero, and so is a new array map.
  const data = section.type === SHT_NOBITS ? undefined : section.data;
  const variables = sectionVariables(elf, section, btf);
  return Object.freeze({
    name: mapName(prefix + section.name),
    type: MapType.ARRAY,
    key: u32,
    value:
      variables === undefined
        ? bytes(section.size)
        : sectionSchema(btf, section.name.replace(/^\./, ""), {
            variables,
            size: section.size,
            ...(data === undefined ? {} : { data }),
          }),
    maxEntries: 1,
    flags: readOnly ? MapFlag.RDONLY_PROG : 0,
    ...(data === undefined ? {} : { initialValue: data }),
    ...(readOnly ? { frozen: true } : {}),
  });
}

/**
 * Checks that the variable at an offset of a data section holds its initial
 * value. One that is initialised with an address (a pointer to another variable,
 * a table of texts) does not: the file has a relocation in its place.
 * @throws {ElfError} which names the section, and the symbol of the address
 */
export function checkInitialized(elf: ElfFile, section: Section, btf: Btf, offset: number): void {
  const relocations = elf.relocations.get(section.index) ?? [];
  if (relocations.length === 0) return;
  const variable = sectionVariables(elf, section, btf)?.find(
    (each) => offset >= each.offset && offset < each.offset + each.size,
  );
  const [start, end] = variable === undefined ? [0, section.size] : [variable.offset, variable.offset + variable.size];
  const relocated = relocations.find((each) => each.offset >= start && each.offset < end);
  if (relocated === undefined) return;
  const name = variable === undefined ? "a variable" : `variable ${btf.name(variable.type)}`;
  throw new ElfError(
    `${name} is initialised with the address of this symbol, which is not supported: ` +
      "the kernel knows addresses only in programs. Assign it in the program instead",
    { section: section.name, symbol: relocated.symbol.name },
  );
}

/** The kernel's limit for a value in an array. */
const MAX_SIZE = 0x7fff_ffff;

/** A name that the kernel accepts for a map: letters, digits, `_` and `.`. */
export function mapName(name: string): string {
  return name.replace(/[^A-Za-z0-9_.]/g, "_");
}
