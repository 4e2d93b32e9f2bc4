/** Jumps (RFC 9669, section 4.3). */
import type { Instruction, Label } from "../instruction.ts";
import { makeInstruction } from "../make.ts";
import * as op from "../opcode.ts";
import type { Register, Register32 } from "../register.ts";
import { immediateField, labelReference, offsetField, sameWidth, type JumpTarget } from "./operand.ts";

/** Marks the place of the next instruction, for jumps and calls to name. */
export const label = (name: string): Label => ({ label: name });

/**
 * Jumps to `target` where the comparison of `left` with `right` holds: of whole
 * registers for `r`, of their low halves for `w`.
 * @throws {AsmError} where a number does not fit the immediate, or an offset 16 bits.
 */
export interface ConditionalJumpBuilder {
  (left: Register, right: Register | number, target: JumpTarget): Instruction;
  (left: Register32, right: Register32 | number, target: JumpTarget): Instruction;
}

function conditional(name: string, operation: number): ConditionalJumpBuilder {
  return (left: Register | Register32, right: Register | Register32 | number, target: JumpTarget): Instruction => {
    const opcode = operation | (left.bits === 64 ? op.BPF_JMP : op.BPF_JMP32);
    const reference = typeof target === "string" ? labelReference(target) : undefined;
    const offset = typeof target === "string" ? 0 : offsetField(target, name);
    if (typeof right === "number") {
      return makeInstruction(
        opcode,
        left.number,
        0,
        offset,
        immediateField(right, left.bits, name),
        undefined,
        reference,
      );
    }
    sameWidth(left, right, name);
    return makeInstruction(opcode | op.BPF_X, left.number, right.number, offset, 0, undefined, reference);
  };
}

export const jeq = conditional("jeq", op.BPF_JEQ);
export const jne = conditional("jne", op.BPF_JNE);
/** Unsigned `<`. */
export const jlt = conditional("jlt", op.BPF_JLT);
/** Unsigned `<=`. */
export const jle = conditional("jle", op.BPF_JLE);
/** Unsigned `>`. */
export const jgt = conditional("jgt", op.BPF_JGT);
/** Unsigned `>=`. */
export const jge = conditional("jge", op.BPF_JGE);
/** Signed `<`. */
export const jslt = conditional("jslt", op.BPF_JSLT);
/** Signed `<=`. */
export const jsle = conditional("jsle", op.BPF_JSLE);
/** Signed `>`. */
export const jsgt = conditional("jsgt", op.BPF_JSGT);
/** Signed `>=`. */
export const jsge = conditional("jsge", op.BPF_JSGE);
/** Any bit in common. */
export const jset = conditional("jset", op.BPF_JSET);

function unconditional(opcode: number, target: JumpTarget, name: string): Instruction {
  return typeof target === "string"
    ? makeInstruction(opcode, 0, 0, 0, 0, undefined, labelReference(target))
    : makeInstruction(opcode, 0, 0, offsetField(target, name), 0);
}

/** `goto target`. */
export const jump = (target: JumpTarget): Instruction => unconditional(op.GOTO, target, "jump");

/** `jump` with an offset of 32 bits (Linux 6.6). */
export function gotol(target: JumpTarget): Instruction {
  return typeof target === "string"
    ? makeInstruction(op.GOTOL, 0, 0, 0, 0, undefined, labelReference(target))
    : makeInstruction(op.GOTOL, 0, 0, 0, immediateField(target, 64, "gotol"));
}

/** Jumps to the address in `dst`, which comes from a map of instruction addresses (Linux 6.19). */
export const gotox = (dst: Register): Instruction => makeInstruction(op.GOTOX, dst.number, 0, 0, 0);

/** Goes on, or jumps to `target` once the program has run too long: bounds a loop for the verifier (Linux 6.9). */
export const mayGoto = (target: JumpTarget): Instruction => unconditional(op.MAY_GOTO, target, "mayGoto");

/** Returns from the program or the subprogram; the result is in r0. */
export const exit = (): Instruction => makeInstruction(op.EXIT, 0, 0, 0, 0);
