/**
 * The numbers of the instruction encoding, under the names that `linux/bpf.h`
 * and `linux/bpf_common.h` give them (RFC 9669, sections 3 to 5; what came after
 * the RFC is marked with its kernel release).
 *
 * An opcode is `class | source | operation` for arithmetic and jumps, and
 * `class | size | mode` for loads and stores.
 */

// Classes: the low three bits.
export const BPF_LD = 0x00;
export const BPF_LDX = 0x01;
export const BPF_ST = 0x02;
export const BPF_STX = 0x03;
export const BPF_ALU = 0x04;
export const BPF_JMP = 0x05;
export const BPF_JMP32 = 0x06;
export const BPF_ALU64 = 0x07;

// Source operand of arithmetic and jumps: the immediate or the source register.
export const BPF_K = 0x00;
export const BPF_X = 0x08;

// Arithmetic operations.
export const BPF_ADD = 0x00;
export const BPF_SUB = 0x10;
export const BPF_MUL = 0x20;
/** Signed with offset 1, unsigned with 0. */
export const BPF_DIV = 0x30;
export const BPF_OR = 0x40;
export const BPF_AND = 0x50;
export const BPF_LSH = 0x60;
export const BPF_RSH = 0x70;
export const BPF_NEG = 0x80;
/** Signed with offset 1, unsigned with 0. */
export const BPF_MOD = 0x90;
export const BPF_XOR = 0xa0;
/** With offset 8, 16 or 32 it sign-extends; with offset 1 it casts between address spaces (Linux 6.9). */
export const BPF_MOV = 0xb0;
export const BPF_ARSH = 0xc0;
export const BPF_END = 0xd0;

// Direction of BPF_END in class BPF_ALU; in BPF_ALU64 it swaps unconditionally.
export const BPF_TO_LE = BPF_K;
export const BPF_TO_BE = BPF_X;

// Jump operations.
export const BPF_JA = 0x00;
export const BPF_JEQ = 0x10;
export const BPF_JGT = 0x20;
export const BPF_JGE = 0x30;
export const BPF_JSET = 0x40;
export const BPF_JNE = 0x50;
export const BPF_JSGT = 0x60;
export const BPF_JSGE = 0x70;
export const BPF_CALL = 0x80;
export const BPF_EXIT = 0x90;
export const BPF_JLT = 0xa0;
export const BPF_JLE = 0xb0;
export const BPF_JSLT = 0xc0;
export const BPF_JSLE = 0xd0;
/** Conditional jump on something other than registers; source 0 is `may_goto` (Linux 6.9). */
export const BPF_JCOND = 0xe0;

/** Source field of BPF_JCOND. */
export const BPF_MAY_GOTO = 0;

// Sizes of loads and stores.
export const BPF_W = 0x00;
export const BPF_H = 0x08;
export const BPF_B = 0x10;
export const BPF_DW = 0x18;

// Modes of loads and stores.
export const BPF_IMM = 0x00;
export const BPF_ABS = 0x20;
export const BPF_IND = 0x40;
export const BPF_MEM = 0x60;
export const BPF_MEMSX = 0x80;
export const BPF_ATOMIC = 0xc0;

// Atomic operations: the immediate of BPF_STX | BPF_ATOMIC; the plain ones are BPF_ADD, BPF_OR, BPF_AND and BPF_XOR.
export const BPF_FETCH = 0x01;
export const BPF_XCHG = 0xe0 | BPF_FETCH;
export const BPF_CMPXCHG = 0xf0 | BPF_FETCH;
/** Linux 6.15. */
export const BPF_LOAD_ACQ = 0x100;
/** Linux 6.15. */
export const BPF_STORE_REL = 0x110;

// The source field of a 64-bit immediate load: the meaning of the number; 0 is a plain number.
export const BPF_PSEUDO_MAP_FD = 1;
export const BPF_PSEUDO_MAP_VALUE = 2;
export const BPF_PSEUDO_BTF_ID = 3;
export const BPF_PSEUDO_FUNC = 4;
export const BPF_PSEUDO_MAP_IDX = 5;
export const BPF_PSEUDO_MAP_IDX_VALUE = 6;

// The source field of a call: the meaning of the immediate; 0 is a helper's number.
export const BPF_PSEUDO_CALL = 1;
export const BPF_PSEUDO_KFUNC_CALL = 2;

/** The load of a 64-bit immediate, the only instruction of two slots. */
export const LDDW = BPF_LD | BPF_DW | BPF_IMM;
export const GOTO = BPF_JMP | BPF_JA | BPF_K;
/** The offset is in the immediate: 32 bits. */
export const GOTOL = BPF_JMP32 | BPF_JA | BPF_K;
/** To the address in a register (Linux 6.19). */
export const GOTOX = BPF_JMP | BPF_JA | BPF_X;
export const MAY_GOTO = BPF_JMP | BPF_JCOND | BPF_K;
export const CALL = BPF_JMP | BPF_CALL | BPF_K;
/** The address is in the destination register, as LLVM has it from release 19 on. */
export const CALLX = BPF_JMP | BPF_CALL | BPF_X;
export const EXIT = BPF_JMP | BPF_EXIT | BPF_K;

/** The class of an opcode. */
export const classOf = (opcode: number): number => opcode & 0x07;
/** The operation of an arithmetic or jump opcode. */
export const operationOf = (opcode: number): number => opcode & 0xf0;
/** The size of a load or store opcode. */
export const sizeOf = (opcode: number): number => opcode & 0x18;
/** The mode of a load or store opcode. */
export const modeOf = (opcode: number): number => opcode & 0xe0;
/** Whether an arithmetic or jump opcode takes the source register rather than the immediate. */
export const takesRegister = (opcode: number): boolean => (opcode & BPF_X) !== 0;
