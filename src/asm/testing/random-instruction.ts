/** Random instructions of every form, for tests that compare two implementations. */
import { fieldFault, opcodes } from "../fields.ts";
import type { Instruction } from "../instruction.ts";
import { makeInstruction } from "../make.ts";
import { BPF_MOV, classOf, LDDW, operationOf, takesRegister } from "../opcode.ts";

/** A source of numbers from 0 to 2^32-1, the same for the same seed (the generator "mulberry32"). */
export function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** Values of fields where few are valid: sizes, kinds, atomic operations. */
const OFFSETS = [0, 0, 0, 1, 8, 16, 32];
const IMMEDIATES = [0, 0, 0x10, 0x20, 0x40, 0x01, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1, 0x100, 0x110];
const EDGES = [-0x8000_0000, -0x8000, -129, -128, -1, 1, 127, 255, 0x7fff, 0xffff, 0x7fff_ffff];

/** The `index`-th instruction of a series over all opcodes, with random operands. */
export function randomInstruction(random: () => number, index: number): Instruction {
  const opcode = opcodes[index % opcodes.length]!;
  const pick = (from: readonly number[]): number => from[random() % from.length]!;
  const maybe = (value: () => number): number => (random() % 2 === 0 ? 0 : value());
  for (;;) {
    const dst = maybe(() => random() % 11);
    const src = maybe(() => random() % 11);
    const offset =
      random() % 3 === 0
        ? pick(OFFSETS)
        : random() % 4 === 0
          ? (random() << 16) >> 16
          : maybe(() => (random() % 200) - 100);
    const immediate = random() % 2 === 0 ? pick(IMMEDIATES) : random() % 3 === 0 ? random() | 0 : pick(EDGES);
    const high = opcode === LDDW ? maybe(() => random() | 0) : undefined;
    // Half of the moves sign-extend, half of the divisions are signed, …: pure chance would give too few.
    const field =
      takesRegister(opcode) && operationOf(opcode) === BPF_MOV && (classOf(opcode) & 3) !== 1 ? pick(OFFSETS) : offset;
    if (fieldFault(opcode, dst, src, field, immediate, high ?? 0) === undefined) {
      return makeInstruction(opcode, dst, src, field, immediate, high);
    }
  }
}

/** `count` instructions, about as many of each opcode. */
export function randomInstructions(count: number, seed: number): Instruction[] {
  const random = randomNumbers(seed);
  return Array.from({ length: count }, (_, index) => randomInstruction(random, index));
}
