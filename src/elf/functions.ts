/** Splits programs into functions, each with its place in a section, as a compiler leaves them. */
import { createHash } from "node:crypto";
import { type Instruction, isWide, opcodes, type Program, SLOT_SIZE } from "../asm/index.ts";
import { slotOffsets } from "../btf/index.ts";
import { ElfError } from "./error.ts";

export const TEXT = ".text";

/** A function with its place. */
export interface PlacedFunction {
  readonly name: string;
  /** The first program that has it, and its index among that program's functions; 0 is the program itself. */
  readonly program: Program;
  readonly index: number;
  readonly section: string;
  /** Bytes from the start of the section, and bytes of code. */
  readonly offset: number;
  readonly size: number;
  readonly body: readonly PlacedInstruction[];
}

export interface PlacedInstruction {
  readonly instruction: Instruction;
  /** Bytes from the start of the function. */
  readonly at: number;
  /** The function of the same program that it calls or takes the address of. */
  readonly target?: number;
}

export interface Placement {
  /** By section, in code order; `.text` holds the subprograms. */
  readonly sections: ReadonlyMap<string, readonly PlacedFunction[]>;
  /** The place of a program's function. */
  readonly of: (program: Program, index: number) => PlacedFunction;
}

/**
 * Puts every program into the section of its name, and subprograms into
 * `.text`: equal ones of several programs once, different ones of one name under
 * different names.
 * @throws {ElfError} for two programs of one name, and for functions that do not
 * fit the instructions
 */
export function placeFunctions(programs: readonly Program[]): Placement {
  const sections = new Map<string, PlacedFunction[]>();
  const places = new Map<Program, PlacedFunction[]>();
  const shared = new Map<string, PlacedFunction>();
  const names = new Set<string>();
  for (const program of programs) {
    if (names.has(program.name))
      throw new ElfError("two programs have this name", { section: program.section, symbol: program.name });
    names.add(program.name);
  }
  const place = (
    program: Program,
    index: number,
    name: string,
    section: string,
    body: readonly PlacedInstruction[],
  ): PlacedFunction => {
    const before = sections.get(section) ?? [];
    sections.set(section, before);
    const last = before.at(-1);
    const end = body.at(-1)!;
    const placed = {
      name,
      program,
      index,
      section,
      body,
      offset: last === undefined ? 0 : last.offset + last.size,
      size: end.at + (isWide(end.instruction) ? 2 : 1) * SLOT_SIZE,
    };
    before.push(placed);
    return placed;
  };
  for (const program of programs) {
    const bodies = takeApart(program);
    const fingerprints = fingerprintsOf(program, bodies);
    const placed = bodies.map((body, index) => {
      if (index === 0) return place(program, 0, program.name, program.section, body);
      const print = fingerprints[index]!;
      let found = shared.get(print);
      if (found === undefined) {
        found = place(program, index, freeName(program.functions[index]!.name, names), TEXT, body);
        shared.set(print, found);
      }
      return found;
    });
    places.set(program, placed);
  }
  return { sections, of: (program, index) => places.get(program)![index]! };
}

function freeName(name: string, names: Set<string>): string {
  let free = name;
  for (let i = 2; names.has(free); i++) free = `${name}_${i}`;
  names.add(free);
  return free;
}

function takeApart(program: Program): PlacedInstruction[][] {
  const { instructions, functions } = program;
  const fail = (reason: string) => new ElfError(reason, { section: program.section, symbol: program.name });
  if (program.section === TEXT) throw fail("a program cannot be in section .text, which is for subprograms");
  if (functions[0]?.start !== 0) throw fail("the program's first function does not begin at its first instruction");
  const slots = slotOffsets(instructions);
  const bySlot = new Map(functions.map(({ start }, i) => [slots[start], i]));
  return functions.map(({ start, name }, i) => {
    const end = functions[i + 1]?.start ?? instructions.length;
    if (end <= start) throw fail(`function ${name} has no instructions`);
    return instructions.slice(start, end).map((instruction, k): PlacedInstruction => {
      const slot = slots[start + k]!;
      const at = (slot - slots[start]!) * SLOT_SIZE;
      const refers =
        (instruction.opcode === opcodes.CALL && instruction.src === opcodes.BPF_PSEUDO_CALL) ||
        (instruction.opcode === opcodes.LDDW && instruction.src === opcodes.BPF_PSEUDO_FUNC);
      if (!refers) return { instruction, at };
      const target = bySlot.get(slot + 1 + instruction.immediate);
      if (target === undefined)
        throw fail(
          `an instruction of ${name} refers to slot ${slot + 1 + instruction.immediate}, ` +
            "where none of the program's functions begins",
        );
      if (target === 0) throw fail(`${name} calls the program's main function, which kernels forbid`);
      return { instruction, at, target };
    });
  });
}

/** A text for each function; equal functions, with equal callees, have equal texts. */
function fingerprintsOf(program: Program, bodies: readonly (readonly PlacedInstruction[])[]): string[] {
  const done = new Map<number, string>();
  const within = new Set<number>();
  const fingerprint = (index: number): string => {
    const known = done.get(index);
    if (known !== undefined) return known;
    const { name } = program.functions[index]!;
    if (within.has(index))
      throw new ElfError(`function ${name} calls itself, which kernels forbid`, {
        section: program.section,
        symbol: program.name,
      });
    within.add(index);
    const parts = bodies[index]!.map(({ instruction, target }) =>
      target === undefined ? instruction : [{ ...instruction, immediate: 0 }, fingerprint(target)],
    );
    within.delete(index);
    const text = createHash("sha256")
      .update(JSON.stringify([name, program.type, parts]))
      .digest("hex");
    done.set(index, text);
    return text;
  };
  return bodies.map((_, index) => fingerprint(index));
}
