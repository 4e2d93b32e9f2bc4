/** Instruction sets as clang's -mcpu counts them: 2 adds the `<` and `<=` jumps, 3 32-bit jumps, 4 sign extension, signed division, far jumps. */
export type InstructionSet = 1 | 2 | 3 | 4;
