/** Calls (RFC 9669, section 4.3.1). Arguments are in r1 to r5, the result in r0; r1 to r5 are lost. */
import { AsmError } from "../error.ts";
import { helperNumber, type HelperName } from "../helpers/index.ts";
import type { Instruction } from "../instruction.ts";
import { makeInstruction } from "../make.ts";
import * as op from "../opcode.ts";
import type { Register } from "../register.ts";
import { immediateField, labelReference, offsetField, type JumpTarget } from "./operand.ts";

/**
 * Calls a helper function by its kernel name or its number.
 * @throws {AsmError} for a name that is not a helper's.
 *
 * @example
 * ```ts
 * import { call } from "tsbpf/asm";
 *
 * call("bpf_ktime_get_ns"); // call bpf_ktime_get_ns#5
 * ```
 */
export function call(helper: HelperName | number): Instruction {
  if (typeof helper === "number") return makeInstruction(op.CALL, 0, 0, 0, immediateField(helper, 64, "call"));
  const number = helperNumber(helper);
  if (number === undefined) {
    throw new AsmError(
      `call: no helper is named ${helper}; callFunction() calls a subprogram, callKernel() a kernel function`,
    );
  }
  return makeInstruction(op.CALL, 0, 0, 0, number);
}

/**
 * Calls a subprogram: a label, or the number of slots from the next instruction.
 *
 * @example
 * ```ts
 * import { callFunction } from "tsbpf/asm";
 *
 * callFunction("checksum"); // call checksum
 * ```
 */
export function callFunction(target: JumpTarget): Instruction {
  return typeof target === "string"
    ? makeInstruction(op.CALL, 0, op.BPF_PSEUDO_CALL, 0, 0, undefined, labelReference(target))
    : makeInstruction(op.CALL, 0, op.BPF_PSEUDO_CALL, 0, immediateField(target, 64, "callFunction"));
}

/**
 * Calls a kernel function by name, which the loader finds in the kernel's BTF, or by BTF id. `moduleBtf` is the
 * index of the module's BTF in the program's `fd_array`; 0 is the kernel's own.
 *
 * @example
 * ```ts
 * import { callKernel } from "tsbpf/asm";
 *
 * callKernel("bpf_task_acquire"); // call kernel-function bpf_task_acquire
 * ```
 */
export function callKernel(target: string | number, moduleBtf = 0): Instruction {
  const offset = offsetField(moduleBtf, "callKernel");
  return typeof target === "string"
    ? makeInstruction(op.CALL, 0, op.BPF_PSEUDO_KFUNC_CALL, offset, 0, undefined, {
        kind: "kernel-function",
        name: target,
      })
    : makeInstruction(op.CALL, 0, op.BPF_PSEUDO_KFUNC_CALL, offset, immediateField(target, 64, "callKernel"));
}

/**
 * Calls the function at the address in `dst`.
 *
 * @example
 * ```ts
 * import { callx, r2 } from "tsbpf/asm";
 *
 * callx(r2); // callx r2
 * ```
 */
export const callx = (dst: Register): Instruction => makeInstruction(op.CALLX, dst.number, 0, 0, 0);
