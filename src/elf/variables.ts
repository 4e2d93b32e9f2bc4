/** Where the variables of a section are: a compiler says it in BTF, or leaves it to the symbol table. */
import type { Btf } from "../btf/index.ts";
import { ElfError } from "./error.ts";
import type { ElfFile, Section } from "./file.ts";

export interface SectionVariable {
  /** The id of a BTF `var`. */
  readonly type: number;
  /** Bytes from the start of the section. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

/**
 * The variables of a section, from its BTF `datasec`. GCC writes every offset as
 * 0 and no relocations for them; there, and for global variables in general,
 * the symbol of the variable's name says the offset, as for libbpf. Several
 * static variables may have one name; those keep their offset from BTF.
 * @returns undefined where BTF does not know the section
 * @throws {ElfError} where BTF lists something other than variables
 */
export function sectionVariables(elf: ElfFile, section: Section, btf: Btf): readonly SectionVariable[] | undefined {
  const id = btf.find("datasec", section.name);
  const type = id === undefined ? undefined : btf.type(id);
  if (type?.kind !== "datasec") return undefined;
  const offsets = new Map<string, number[]>();
  for (const symbol of elf.symbols) {
    if (symbol.section !== section || symbol.size === 0) continue;
    const known = offsets.get(symbol.name);
    if (known === undefined) offsets.set(symbol.name, [symbol.value]);
    else known.push(symbol.value);
  }
  return type.variables.map((variable) => {
    if (btf.kind(variable.type) !== "var") {
      throw new ElfError(`BTF lists type ${variable.type} as a variable, but it is a ${btf.kind(variable.type)}`, {
        section: section.name,
      });
    }
    const found = offsets.get(btf.name(variable.type));
    return found?.length === 1 ? { ...variable, offset: found[0]! } : variable;
  });
}
