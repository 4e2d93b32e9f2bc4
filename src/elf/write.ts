/** Programs as an object file that libbpf, bpftool and cilium/ebpf load. */
import { encode, type Instruction, opcodes, type Program, SLOT_SIZE } from "../asm/index.ts";
import { addFunctions, BtfBuilder, encodeBtfExt, lineRecords, slotOffsets, type ExtSection } from "../btf/index.ts";
import { ElfError } from "./error.ts";
import { writeElf, type NewRelocation, type NewSection, type NewSymbol } from "./file-writer.ts";
import {
  R_BPF_64_32,
  R_BPF_64_64,
  SHF_ALLOC,
  SHF_EXECINSTR,
  SHF_WRITE,
  SHT_PROGBITS,
  STB_GLOBAL,
  STB_LOCAL,
  STT_FUNC,
  STT_OBJECT,
  STT_SECTION,
} from "./format.ts";
import { placeFunctions, TEXT, type PlacedFunction, type Placement } from "./functions.ts";
import { mapSections } from "./map-sections.ts";

/** Options of `writeObject`. */
export interface WriteOptions {
  /** Whether line_info holds the text of the source lines; true if absent. */
  readonly sourceText?: boolean;
}

/**
 * Writes programs and their maps as one relocatable ELF file: a section for each
 * hook under libbpf's name, `.text` for subprograms, `.maps` in BTF style, the
 * licence, BTF, and BTF.ext with func_info and line_info. Equal programs give
 * equal bytes.
 * @throws {ElfError} for what an object file cannot hold: programs of different
 * licences or of one name, different maps of one name, calls of kernel functions
 *
 * @example
 * ```ts
 * import { writeFileSync } from "node:fs";
 * import { cgroup, PROCEED } from "tsbpf";
 * import { writeObject } from "tsbpf/elf";
 *
 * writeFileSync("allow.bpf.o", writeObject([cgroup.connect4("allow", () => PROCEED).compile()]));
 * ```
 */
export function writeObject(programs: readonly Program[], options: WriteOptions = {}): Uint8Array {
  const license = licenseOf(programs);
  const builder = new BtfBuilder();
  const placement = placeFunctions(programs);
  const maps = mapSections(builder, programs);

  // Sections refer to symbols and symbols to sections, so the code's relocations are filled in afterwards.
  const names = [...placement.sections.keys()].sort((a, b) => Number(b === TEXT) - Number(a === TEXT));
  const relocations = new Map(names.map((name) => [name, [] as NewRelocation[]]));
  const code = new Map(
    names.map((name): [string, NewSection] => {
      const functions = placement.sections.get(name)!;
      const last = functions.at(-1)!;
      return [
        name,
        {
          name,
          type: SHT_PROGBITS,
          flags: SHF_ALLOC | SHF_EXECINSTR,
          align: 8,
          data: new Uint8Array(last.offset + last.size),
          relocations: relocations.get(name)!,
        },
      ];
    }),
  );
  const licenseData = Buffer.from(`${license}\0`);
  const licenseSection: NewSection = {
    name: "license",
    type: SHT_PROGBITS,
    flags: SHF_ALLOC | SHF_WRITE,
    align: 1,
    data: licenseData,
  };
  const text = code.get(TEXT);
  const textSymbol: NewSymbol | undefined = text && {
    name: "",
    binding: STB_LOCAL,
    type: STT_SECTION,
    section: text,
    value: 0,
    size: 0,
  };
  const symbols: NewSymbol[] = textSymbol === undefined ? [] : [textSymbol];

  for (const name of names) {
    const section = code.get(name)!;
    for (const placed of placement.sections.get(name)!) {
      symbols.push({
        name: placed.name,
        binding: name === TEXT ? STB_LOCAL : STB_GLOBAL,
        type: STT_FUNC,
        section,
        value: placed.offset,
        size: placed.size,
      });
      const open = placed.body.map(({ instruction, at, target }) => {
        const { bare, symbol } = openReference(instruction, placed, target, placement, maps.symbolOf, textSymbol);
        if (symbol !== undefined) {
          relocations.get(name)!.push({
            offset: placed.offset + at,
            type: bare.opcode === opcodes.CALL ? R_BPF_64_32 : R_BPF_64_64,
            symbol,
          });
        }
        return bare;
      });
      section.data.set(encode(open), placed.offset);
    }
  }
  symbols.push(...maps.symbols, {
    name: "_license",
    binding: STB_GLOBAL,
    type: STT_OBJECT,
    section: licenseSection,
    value: 0,
    size: licenseData.length,
  });

  const ext = extOf(builder, programs, placement, options.sourceText ?? true);
  const data = (name: string, bytes: Uint8Array): NewSection => ({
    name,
    type: SHT_PROGBITS,
    flags: 0,
    align: 4,
    data: bytes,
  });
  return writeElf(
    [...code.values(), licenseSection, ...maps.sections, data(".BTF", builder.encode()), data(".BTF.ext", ext)],
    symbols,
  );
}

function licenseOf(programs: readonly Program[]): string {
  const [first, ...rest] = programs;
  if (first === undefined) throw new ElfError("no programs to write");
  const other = rest.find(({ license }) => license !== first.license);
  if (other !== undefined) {
    throw new ElfError(
      `its licence is ${JSON.stringify(other.license)}, that of ${first.name} ${JSON.stringify(first.license)}: ` +
        "an object file has one licence",
      { section: "license", symbol: other.name },
    );
  }
  return first.license;
}

/** An instruction as the file holds it, and the symbol that completes it. */
function openReference(
  instruction: Instruction,
  placed: PlacedFunction,
  target: number | undefined,
  placement: Placement,
  maps: ReadonlyMap<string, NewSymbol>,
  text: NewSymbol | undefined,
): { bare: Instruction; symbol?: NewSymbol } {
  const { reference, ...bare } = instruction;
  const fail = (reason: string) => new ElfError(reason, { section: placed.section, symbol: placed.name });
  if (target !== undefined) {
    // The instruction holds the place in .text: slots less one for a call, bytes for an address (llvm_reloc.rst).
    const { offset } = placement.of(placed.program, target);
    return bare.opcode === opcodes.CALL
      ? { bare: { ...bare, immediate: offset / SLOT_SIZE - 1 }, symbol: text! }
      : { bare: { ...bare, src: 0, immediate: offset, immediateHigh: 0 }, symbol: text! };
  }
  switch (reference?.kind) {
    case "map":
    case "map-value": {
      const symbol = maps.get(reference.name);
      if (symbol === undefined) throw fail(`it refers to map ${reference.name}, which is not among the program's maps`);
      const offset = reference.kind === "map" ? 0 : reference.offset;
      return { bare: { ...bare, src: 0, immediate: offset, immediateHigh: 0 }, symbol };
    }
    case "kernel-function":
      throw fail(
        `it calls the kernel function ${reference.name}: an object file has to hold its type, ` +
          "which only the target kernel knows",
      );
    case "label":
    case "function":
      throw fail(
        `it refers to label ${reference.name}, which is not resolved: pass the program through the assembler first`,
      );
    case "missing":
    case undefined:
      if (bare.opcode === opcodes.LDDW && bare.src !== 0) {
        throw fail(
          bare.src === opcodes.BPF_PSEUDO_BTF_ID
            ? "it refers to a variable of the running kernel"
            : "it refers to a map by file descriptor or index; an object file takes maps by name",
        );
      }
      return { bare };
  }
}

/** func_info and line_info: each program's records, moved to the places of its functions in the file. */
function extOf(
  builder: BtfBuilder,
  programs: readonly Program[],
  placement: Placement,
  sourceText: boolean,
): Uint8Array {
  const functions = new Map<string, [offset: number, type: number][]>();
  const lines = new Map<string, [offset: number, file: number, text: number, position: number][]>();
  for (const name of placement.sections.keys()) {
    functions.set(name, []);
    lines.set(name, []);
  }
  for (const program of programs) {
    const placed = program.functions.map((_, i) => placement.of(program, i));
    const named = {
      ...program,
      functions: program.functions.map(({ start }, i) => ({ start, name: placed[i]!.name })),
    };
    const slots = slotOffsets(program.instructions);
    const types = addFunctions(builder, named);
    const records = lineRecords(builder, named, slots, sourceText);
    placed.forEach((place, i) => {
      // Several programs share one record of a common subprogram.
      if (place.program !== program || place.index !== i) return;
      functions.get(place.section)!.push([place.offset, types[i]!.type]);
      const start = slots[program.functions[i]!.start]!;
      const end = start + place.size / SLOT_SIZE;
      for (const { slot, file, text, position } of records) {
        if (slot >= start && slot < end)
          lines.get(place.section)!.push([place.offset + (slot - start) * SLOT_SIZE, file, text, position]);
      }
    });
  }
  const sections = (records: ReadonlyMap<string, readonly (readonly number[])[]>): ExtSection[] =>
    [...records].map(([name, list]) => ({ name: builder.string(name), records: list }));
  return encodeBtfExt(sections(functions), sections(lines));
}
