/** Links a main function: appends the functions it calls, and resolves or names its references. */
import { isWide, opcodes, SLOT_SIZE, type Instruction, type Program, type ProgramFunction } from "../asm/index.ts";
import type { MapDefinition } from "../types/index.ts";
import type { CodeFunction, CodeSection } from "./code.ts";
import { ElfError } from "./error.ts";
import type { ElfFile, Relocation, Section } from "./file.ts";
import type { Externs } from "./externs.ts";
import { R_BPF_64_32, R_BPF_64_64, STT_FUNC, STT_OBJECT } from "./format.ts";

const { BPF_PSEUDO_CALL, BPF_PSEUDO_FUNC, BPF_PSEUDO_MAP_FD, BPF_PSEUDO_MAP_VALUE, CALL, LDDW } = opcodes;

/** The targets of relocations. */
export interface LinkContext {
  /** By section number. */
  readonly code: ReadonlyMap<number, CodeSection>;
  readonly mapsSection: number | undefined;
  /**
   * The map at a byte offset of section `.maps`; undefined where none begins.
   * @throws {ElfError} for an unsupported map
   */
  readonly mapAt: (offset: number) => MapDefinition | undefined;
  /** The map of a data section, for an access at an offset; undefined for other sections. @throws {ElfError} */
  readonly globals: (section: Section, offset: number) => MapDefinition | undefined;
  /** Whether the assembler has added a symbol's value to the immediates that it relocates. */
  readonly addendsAreWhole: boolean;
  readonly externs: Externs;
}

export type Linked = Pick<Program, "instructions" | "functions" | "maps">;

/** More than the kernel's 8 frames, and few enough for ours. */
const MAX_CALL_DEPTH = 256;

/**
 * The instructions of a main function and of every function it calls, each once:
 * the main one first, then each callee right after its first caller, in libbpf's
 * order.
 * @throws {ElfError} which names the section, and the symbol that cannot be resolved
 */
export function link(main: CodeFunction, context: LinkContext): Linked {
  const functions: ProgramFunction[] = [];
  const places = new Map<CodeFunction, number>();
  const maps = new Map<string, MapDefinition>();
  const instructions: Instruction[] = [];
  /** Calls and addresses, to be filled in when every function has its place. */
  const open: { readonly index: number; readonly slot: number; readonly target: CodeFunction }[] = [];
  let slot = 0;
  const place = (current: CodeFunction, depth: number): void => {
    if (current.fault !== undefined) throw current.fault;
    if (depth > MAX_CALL_DEPTH)
      throw new ElfError("it is called more deeply than any kernel allows", {
        section: current.section.name,
        symbol: current.name,
      });
    functions.push({ name: current.name, start: instructions.length });
    places.set(current, slot);
    const called: CodeFunction[] = [];
    for (const { at, instruction } of bodyOf(current)) {
      const fault = current.section.faults.get(at);
      if (fault !== undefined) throw fault;
      const resolved = resolve(instruction, at, current, context);
      if (resolved.map !== undefined) maps.set(resolved.map.name, resolved.map);
      if (resolved.target !== undefined) {
        open.push({ index: instructions.length, slot, target: resolved.target });
        called.push(resolved.target);
      }
      instructions.push(resolved.instruction);
      slot += isWide(instruction) ? 2 : 1;
    }
    for (const target of called) if (!places.has(target)) place(target, depth + 1);
  };
  place(main, 1);
  for (const { index, slot, target } of open) {
    instructions[index] = { ...instructions[index]!, immediate: places.get(target)! - slot - 1 };
  }
  return { instructions, functions, maps: [...maps.values()] };
}

/** The instructions of a function, with their byte offsets in the section. */
export function* bodyOf(of: CodeFunction): Generator<{ at: number; instruction: Instruction }> {
  const { instructions } = of.section;
  for (let at = of.offset; at < of.offset + of.size; ) {
    const instruction = instructions.get(at);
    if (instruction === undefined) return;
    yield { at, instruction };
    at += isWide(instruction) ? 2 * SLOT_SIZE : SLOT_SIZE;
  }
}

/**
 * Whether immediates hold the symbol's value already: GNU as (to binutils 2.40
 * at least) writes it there, LLVM only what comes on top. Where that is so, no
 * immediate is below its symbol's value.
 */
export function addendsAreWhole(elf: ElfFile, code: ReadonlyMap<number, CodeSection>): boolean {
  const comment = elf.sections.find(({ name }) => name === ".comment");
  if (comment === undefined || !/(^|\0)GCC:/.test(Buffer.from(comment.data).toString("latin1"))) return false;
  for (const { instructions, relocations } of code.values()) {
    for (const [offset, { symbol }] of relocations) {
      const instruction = instructions.get(offset);
      if (instruction?.opcode === LDDW && symbol.type === STT_OBJECT && instruction.immediate < symbol.value)
        return false;
    }
  }
  return true;
}

interface Resolved {
  readonly instruction: Instruction;
  /** The function that is called, or whose address is taken. */
  readonly target?: CodeFunction;
  readonly map?: MapDefinition;
}

function resolve(instruction: Instruction, at: number, current: CodeFunction, context: LinkContext): Resolved {
  const relocation = current.section.relocations.get(at);
  const section = current.section;
  if (relocation === undefined) {
    // Within a section, a compiler may resolve calls by itself.
    const call = instruction.opcode === CALL && instruction.src === BPF_PSEUDO_CALL;
    const address = instruction.opcode === LDDW && instruction.src === BPF_PSEUDO_FUNC;
    if (!call && !address) return { instruction };
    return {
      instruction,
      target: functionAt(section, at + (instruction.immediate + 1) * SLOT_SIZE, current, "a function"),
    };
  }
  const { symbol, type } = relocation;
  const fail = (reason: string) => new ElfError(reason, { section: section.name, symbol: symbol.name });
  if (instruction.opcode === CALL && type === R_BPF_64_32)
    return resolveCall(instruction, relocation, current, context, fail);
  if (instruction.opcode === LDDW && type === R_BPF_64_64)
    return resolveLoad(instruction, relocation, current, context, fail);
  throw fail(
    `relocation type ${type} in ${current.name} is not supported ` +
      `on an instruction with opcode 0x${instruction.opcode.toString(16)}`,
  );
}

type Fail = (reason: string) => ElfError;

function resolveCall(
  instruction: Instruction,
  { symbol }: Relocation,
  current: CodeFunction,
  context: LinkContext,
  fail: Fail,
): Resolved {
  if (symbol.section === undefined) {
    if (symbol.name === "") throw fail(`${current.name} calls a symbol without a name`);
    return { instruction: context.externs.call(instruction, symbol) };
  }
  const code = context.code.get(symbol.section.index);
  if (code === undefined) throw fail(`${current.name} calls into section ${symbol.section.name}, which holds no code`);
  // A function's own symbol says where it begins, and compilers differ in what the immediate adds to it.
  const offset = symbol.type === STT_FUNC ? symbol.value : symbol.value + (instruction.immediate + 1) * SLOT_SIZE;
  return {
    instruction: { ...instruction, src: BPF_PSEUDO_CALL },
    target: functionAt(code, offset, current, symbol.name),
  };
}

function resolveLoad(
  instruction: Instruction,
  { symbol }: Relocation,
  current: CodeFunction,
  context: LinkContext,
  fail: Fail,
): Resolved {
  const { section } = symbol;
  if (section === undefined) return context.externs.load(instruction, symbol, current.section.name);
  const isWhole = context.addendsAreWhole && symbol.type === STT_OBJECT;
  const offset = (isWhole ? 0 : symbol.value) + instruction.immediate;
  if (section.index === context.mapsSection) {
    const map = context.mapAt(offset);
    if (map === undefined) throw fail(`${current.name} refers to byte ${offset} of section .maps, where no map begins`);
    return {
      instruction: {
        ...instruction,
        src: BPF_PSEUDO_MAP_FD,
        immediate: 0,
        immediateHigh: 0,
        reference: { kind: "map", name: map.name },
      },
      map,
    };
  }
  const code = context.code.get(section.index);
  if (code !== undefined) {
    const start = symbol.type === STT_FUNC ? symbol.value : offset;
    const target = functionAt(code, start, current, symbol.name);
    return { instruction: { ...instruction, src: BPF_PSEUDO_FUNC, immediate: 0, immediateHigh: 0 }, target };
  }
  const map = context.globals(section, offset);
  if (map === undefined) {
    const hint =
      section.name === "maps"
        ? ": declare maps in the BTF style, in section .maps (libbpf 1.0 dropped the old one as well)"
        : "";
    throw fail(
      `${current.name} refers to section ${section.name}, which holds neither maps nor variables nor code${hint}`,
    );
  }
  if (offset < 0 || offset >= map.value.size)
    throw fail(`${current.name} refers to byte ${offset} of ${section.name}, which has ${map.value.size}`);
  const reference = { kind: "map-value", name: map.name, offset } as const;
  return {
    instruction: { ...instruction, src: BPF_PSEUDO_MAP_VALUE, immediate: 0, immediateHigh: offset, reference },
    map,
  };
}

function functionAt(code: CodeSection, offset: number, current: CodeFunction, symbol: string): CodeFunction {
  const found = code.functions.get(offset);
  if (found === undefined) {
    throw new ElfError(`${current.name} refers to byte ${offset} of section ${code.name}, where no function begins`, {
      section: current.section.name,
      symbol,
    });
  }
  return found;
}
