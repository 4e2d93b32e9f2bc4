/**
 * Instruction sets as in clang's -mcpu: 2 adds the `<` and `<=` jumps; 3, 32-bit jumps; 4, sign extension, signed
 * division and far jumps.
 */
export type InstructionSet = 1 | 2 | 3 | 4;
