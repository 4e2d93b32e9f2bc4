/** Jumps (RFC 9669, section 4.3). */
import type { Instruction, Label } from "../instruction.ts";
import { makeInstruction } from "../make.ts";
import * as op from "../opcode.ts";
import type { Register, Register32 } from "../register.ts";
import { immediateField, labelReference, offsetField, sameWidth, type JumpTarget } from "./operand.ts";

/**
 * Marks the next instruction, as a target of jumps and calls.
 *
 * @example
 * ```ts
 * import { label } from "tsbpf/asm";
 *
 * label("out"); // out:
 * ```
 */
export const label = (name: string): Label => ({ label: name });

/**
 * Jumps to `target` if the comparison of `left` with `right` holds. `r` registers are
 * compared whole, `w` registers by their low halves.
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

/**
 * Jumps if `left == right`.
 *
 * @example
 * ```ts
 * import { jeq, r0 } from "tsbpf/asm";
 *
 * jeq(r0, 0, "out"); // if r0 == 0x0 goto out
 * ```
 */
export const jeq = conditional("jeq", op.BPF_JEQ);
/**
 * Jumps if `left != right`.
 *
 * @example
 * ```ts
 * import { jne, w1 } from "tsbpf/asm";
 *
 * jne(w1, 6, "out"); // if w1 != 0x6 goto out
 * ```
 */
export const jne = conditional("jne", op.BPF_JNE);
/**
 * Jumps if `left < right`, unsigned.
 *
 * @example
 * ```ts
 * import { jlt, r1, r2 } from "tsbpf/asm";
 *
 * jlt(r1, r2, "out"); // if r1 < r2 goto out
 * ```
 */
export const jlt = conditional("jlt", op.BPF_JLT);
/**
 * Jumps if `left <= right`, unsigned.
 *
 * @example
 * ```ts
 * import { jle, r1, r2 } from "tsbpf/asm";
 *
 * jle(r1, r2, "out"); // if r1 <= r2 goto out
 * ```
 */
export const jle = conditional("jle", op.BPF_JLE);
/**
 * Jumps if `left > right`, unsigned.
 *
 * @example
 * ```ts
 * import { jgt, r1, r2 } from "tsbpf/asm";
 *
 * jgt(r1, r2, "out"); // if r1 > r2 goto out
 * ```
 */
export const jgt = conditional("jgt", op.BPF_JGT);
/**
 * Jumps if `left >= right`, unsigned.
 *
 * @example
 * ```ts
 * import { jge, r1, r2 } from "tsbpf/asm";
 *
 * jge(r1, r2, "out"); // if r1 >= r2 goto out
 * ```
 */
export const jge = conditional("jge", op.BPF_JGE);
/**
 * Jumps if `left < right`, signed.
 *
 * @example
 * ```ts
 * import { jslt, r0 } from "tsbpf/asm";
 *
 * jslt(r0, 0, "failed"); // if r0 s< 0x0 goto failed
 * ```
 */
export const jslt = conditional("jslt", op.BPF_JSLT);
/**
 * Jumps if `left <= right`, signed.
 *
 * @example
 * ```ts
 * import { jsle, r0 } from "tsbpf/asm";
 *
 * jsle(r0, 0, "out"); // if r0 s<= 0x0 goto out
 * ```
 */
export const jsle = conditional("jsle", op.BPF_JSLE);
/**
 * Jumps if `left > right`, signed.
 *
 * @example
 * ```ts
 * import { jsgt, r0 } from "tsbpf/asm";
 *
 * jsgt(r0, 0, "out"); // if r0 s> 0x0 goto out
 * ```
 */
export const jsgt = conditional("jsgt", op.BPF_JSGT);
/**
 * Jumps if `left >= right`, signed.
 *
 * @example
 * ```ts
 * import { jsge, r0 } from "tsbpf/asm";
 *
 * jsge(r0, 0, "out"); // if r0 s>= 0x0 goto out
 * ```
 */
export const jsge = conditional("jsge", op.BPF_JSGE);
/**
 * Jumps if `left` and `right` have a bit in common.
 *
 * @example
 * ```ts
 * import { jset, r1 } from "tsbpf/asm";
 *
 * jset(r1, 1, "odd"); // if r1 & 0x1 goto odd
 * ```
 */
export const jset = conditional("jset", op.BPF_JSET);

function unconditional(opcode: number, target: JumpTarget, name: string): Instruction {
  return typeof target === "string"
    ? makeInstruction(opcode, 0, 0, 0, 0, undefined, labelReference(target))
    : makeInstruction(opcode, 0, 0, offsetField(target, name), 0);
}

/**
 * `goto target`.
 *
 * @example
 * ```ts
 * import { jump } from "tsbpf/asm";
 *
 * jump("loop"); // goto loop
 * ```
 */
export const jump = (target: JumpTarget): Instruction => unconditional(op.GOTO, target, "jump");

/**
 * `jump` with an offset of 32 bits (Linux 6.6).
 *
 * @example
 * ```ts
 * import { gotol } from "tsbpf/asm";
 *
 * gotol("far"); // gotol far
 * ```
 */
export function gotol(target: JumpTarget): Instruction {
  return typeof target === "string"
    ? makeInstruction(op.GOTOL, 0, 0, 0, 0, undefined, labelReference(target))
    : makeInstruction(op.GOTOL, 0, 0, 0, immediateField(target, 64, "gotol"));
}

/**
 * Jumps to the address in `dst`, read from a map of instruction addresses (Linux 6.19).
 *
 * @example
 * ```ts
 * import { gotox, r1 } from "tsbpf/asm";
 *
 * gotox(r1); // gotox r1
 * ```
 */
export const gotox = (dst: Register): Instruction => makeInstruction(op.GOTOX, dst.number, 0, 0, 0);

/**
 * Continues, or jumps to `target` once the program has run too long. Bounds a loop for the verifier (Linux 6.9).
 *
 * @example
 * ```ts
 * import { mayGoto } from "tsbpf/asm";
 *
 * mayGoto("out"); // may_goto out
 * ```
 */
export const mayGoto = (target: JumpTarget): Instruction => unconditional(op.MAY_GOTO, target, "mayGoto");

/**
 * Returns r0 from the program or the subprogram.
 *
 * @example
 * ```ts
 * import { exit } from "tsbpf/asm";
 *
 * exit(); // exit
 * ```
 */
export const exit = (): Instruction => makeInstruction(op.EXIT, 0, 0, 0, 0);
