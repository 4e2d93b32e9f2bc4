/** Maps in the form that libbpf reads: declarations in `.maps`, as types, and variables in data sections. */
import { addArray, addSchema, mapTypeTakesBtf, type BtfBuilder, type BtfMember } from "../btf/index.ts";
import { type MapDefinition, mapKind, MapType, type Schema, type StructSchema } from "../types/index.ts";
import type { Program } from "../asm/index.ts";
import { ElfError } from "./error.ts";
import type { NewSection, NewSymbol } from "./file-writer.ts";
import {
  SHF_ALLOC,
  SHF_WRITE,
  SHT_NOBITS,
  SHT_PROGBITS,
  STB_GLOBAL,
  STB_LOCAL,
  STT_OBJECT,
  STT_SECTION,
} from "./format.ts";

export interface MapSections {
  readonly sections: readonly NewSection[];
  readonly symbols: readonly NewSymbol[];
  /** The symbol that relocates an instruction which refers to a map. */
  readonly symbolOf: ReadonlyMap<string, NewSymbol>;
}

/**
 * The sections for all maps of some programs.
 * @throws {ElfError} for two different maps of one name, and for maps that libbpf cannot express
 */
export function mapSections(builder: BtfBuilder, programs: readonly Program[]): MapSections {
  const maps = collect(programs);
  const references = programs.flatMap((program) => program.instructions.map((instruction) => instruction.reference));
  const named = (kind: "map" | "map-value") =>
    new Set(references.flatMap((reference) => (reference?.kind === kind ? [reference.name] : [])));
  const asVariables = named("map-value");
  const asMaps = named("map");
  const variables = maps.filter(({ name }) => asVariables.has(name));
  const declared = maps.filter(({ name }) => !asVariables.has(name));
  for (const { name } of variables) {
    if (asMaps.has(name)) {
      throw new ElfError(
        "it is used both as a map and as variables (by the address of its value), " +
          "and an object file has no form for both",
        { symbol: name },
      );
    }
  }
  const parts = [
    ...(declared.length === 0 ? [] : [declarations(builder, declared)]),
    ...variableSections(builder, variables),
  ];
  return {
    sections: parts.map(({ section }) => section),
    symbols: parts.flatMap(({ symbols }) => symbols),
    symbolOf: new Map(parts.flatMap(({ bySymbol }) => bySymbol)),
  };
}

interface Part {
  readonly section: NewSection;
  readonly symbols: readonly NewSymbol[];
  readonly bySymbol: readonly (readonly [string, NewSymbol])[];
}

function collect(programs: readonly Program[]): MapDefinition[] {
  const maps = new Map<string, MapDefinition>();
  for (const definition of programs.flatMap((program) => program.maps)) {
    const other = maps.get(definition.name) ?? definition;
    const same =
      (["type", "maxEntries", "flags"] as const).every((field) => other[field] === definition[field]) &&
      (["key", "value"] as const).every(
        (part) => other[part].size === definition[part].size && String(other[part]) === String(definition[part]),
      );
    if (!same) throw new ElfError("two different maps have this name", { section: ".maps", symbol: definition.name });
    maps.set(definition.name, other);
  }
  return [...maps.values()];
}

/** Section `.maps`: its types describe the maps, its bytes are zero. */
function declarations(builder: BtfBuilder, maps: readonly MapDefinition[]): Part {
  const int = builder.add({ kind: "int", name: "int", size: 4, bits: 32, encoding: "signed" });
  const pointer = (type: number) => builder.add({ kind: "ptr", type });
  // __uint(name, n) of libbpf's bpf_helpers.h is int (*name)[n], and __type(name, T) is T *name.
  const number = (value: number) => pointer(addArray(builder, int, value));
  let end = 0;
  const variables = maps.map((map) => {
    if (map.initialValue !== undefined || map.frozen === true) {
      throw new ElfError(
        "only variables, which a program reaches by the address of the map's value, " +
          "can have initial values in an object file",
        { section: ".maps", symbol: map.name },
      );
    }
    const fields: (readonly [string, number])[] = [["type", number(map.type)]];
    if (map.maxEntries !== 0) fields.push(["max_entries", number(map.maxEntries)]);
    if (map.flags !== 0) fields.push(["map_flags", number(map.flags)]);
    if (mapTypeTakesBtf(map.type)) {
      if (map.key.size !== 0) fields.push(["key", pointer(addSchema(builder, map.key))]);
      fields.push(["value", pointer(addSchema(builder, map.value))]);
    } else if (!mapKind(map.type).untypedRecords) {
      if (map.key.size !== 0) fields.push(["key_size", number(map.key.size)]);
      if (map.value.size !== 0) fields.push(["value_size", number(map.value.size)]);
    }
    const members: BtfMember[] = fields.map(([name, type], i) => ({ name, type, offset: 64 * i, bits: 0 }));
    const size = 8 * members.length;
    const struct = builder.add({ kind: "struct", name: "", size, members });
    const variable = {
      name: map.name,
      type: builder.add({ kind: "var", name: variableName(map.name), type: struct, linkage: "global" }),
      offset: end,
      size,
    };
    end += size;
    return variable;
  });
  builder.add({
    kind: "datasec",
    name: ".maps",
    size: end,
    variables: variables.map(({ type, offset, size }) => ({ type, offset, size })),
  });
  const section: NewSection = {
    name: ".maps",
    type: SHT_PROGBITS,
    flags: SHF_ALLOC | SHF_WRITE,
    align: 8,
    data: new Uint8Array(end),
  };
  const bySymbol = variables.map(
    ({ name, offset, size }) =>
      [name, { name, binding: STB_GLOBAL, type: STT_OBJECT, section, value: offset, size }] as const,
  );
  return { section, symbols: bySymbol.map(([, symbol]) => symbol), bySymbol };
}

/** A data section for each map used as variables; libbpf turns it into a map again. */
function variableSections(builder: BtfBuilder, maps: readonly MapDefinition[]): Part[] {
  const taken = new Set<string>();
  return maps.map((map) => {
    const name = sectionName(map);
    const fail = (reason: string) => new ElfError(reason, { section: name, symbol: map.name });
    if (map.type !== MapType.ARRAY || map.maxEntries !== 1)
      throw fail("it is used by the address of its value, which in an object file takes an array of one element");
    if (taken.has(name)) throw fail("two maps of variables would share this section");
    taken.add(name);
    const size = map.value.size;
    const variables = fieldsOf(map, name).map(({ name, schema, offset }) => ({
      type: builder.add({ kind: "var", name: variableName(name), type: addSchema(builder, schema), linkage: "global" }),
      offset,
      size: schema.size,
    }));
    builder.add({ kind: "datasec", name, size, variables });
    const readOnly = name.startsWith(".rodata");
    const empty = name.startsWith(".bss");
    if (empty && map.initialValue?.some((byte) => byte !== 0) === true)
      throw fail("the variables of .bss begin as zero, and these do not");
    const section: NewSection = {
      name,
      type: empty ? SHT_NOBITS : SHT_PROGBITS,
      flags: readOnly ? SHF_ALLOC : SHF_ALLOC | SHF_WRITE,
      align: 8,
      data: empty ? new Uint8Array(0) : (map.initialValue ?? new Uint8Array(size)),
      size,
    };
    const symbol: NewSymbol = { name: "", binding: STB_LOCAL, type: STT_SECTION, section, value: 0, size: 0 };
    return { section, symbols: [symbol], bySymbol: [[map.name, symbol] as const] };
  });
}

/** The section of a map: `.bss` for `counter.bss`, `readObject`'s name in file `counter`; else its own section. */
function sectionName(map: MapDefinition): string {
  const known = /\.(data|rodata|bss)(\.[A-Za-z0-9_.]+)?$/.exec(map.name);
  return known?.[0] ?? `${map.frozen === true ? ".rodata" : ".data"}.${map.name}`;
}

function fieldsOf(
  { value }: MapDefinition,
  section: string,
): readonly { name: string; schema: Schema; offset: number }[] {
  if (value.kind === "struct" && (value as StructSchema).layout.length > 0) return (value as StructSchema).layout;
  return [{ name: section.replace(/^\.(data|rodata|bss)\.?/, "") || "value", schema: value, offset: 0 }];
}

/** A variable's name in BTF may have dots, but no leading digit (kernel/bpf/btf.c, `__btf_name_valid`). */
function variableName(name: string): string {
  return name
    .replace(/[^A-Za-z0-9_.]/g, "_")
    .replace(/^(?=\d)/, "_")
    .slice(0, 127);
}
