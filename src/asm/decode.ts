import { SLOT_SIZE } from "./encode.ts";
import { AsmError } from "./error.ts";
import { fieldFault } from "./fields.ts";
import type { Instruction } from "./instruction.ts";
import { makeInstruction } from "./make.ts";
import { LDDW } from "./opcode.ts";

/**
 * Decodes the instructions in `bytes`: the inverse of `encode`, which gives the
 * same bytes again.
 * @throws {AsmError} for an invalid instruction: an unknown opcode, a register out of
 *   range, a reserved field that is set, half an `lddw`; and for a length that is not
 *   a multiple of 8. The message names the slot.
 *
 * @example
 * ```ts
 * import { decode, encode, exit } from "tsbpf/asm";
 *
 * decode(encode([exit()])); // [exit()]
 * ```
 */
export function decode(bytes: Uint8Array): Instruction[] {
  if (bytes.length % SLOT_SIZE !== 0) {
    throw new AsmError(
      `cannot decode ${bytes.length} bytes: a program is a whole number of slots of ${SLOT_SIZE} bytes`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const instructions: Instruction[] = [];
  for (let position = 0; position < bytes.length; position += SLOT_SIZE) {
    const word = view.getInt32(position, true);
    const opcode = word & 0xff;
    const dst = (word >> 8) & 0xf;
    const src = (word >> 12) & 0xf;
    const offset = word >> 16;
    const immediate = view.getInt32(position + 4, true);
    const slot = position;
    let high: number | undefined;
    if (opcode === LDDW) {
      position += SLOT_SIZE;
      if (position === bytes.length)
        throw fault(slot, "the 64-bit immediate load is cut off: its second slot is missing");
      if (view.getInt32(position, true) !== 0) {
        throw fault(slot, "in the second slot of a 64-bit immediate load all but the immediate must be 0");
      }
      high = view.getInt32(position + 4, true);
    }
    const reason = fieldFault(opcode, dst, src, offset, immediate, high ?? 0);
    if (reason !== undefined) throw fault(slot, reason);
    instructions.push(makeInstruction(opcode, dst, src, offset, immediate, high));
  }
  return instructions;
}

const fault = (position: number, reason: string): AsmError =>
  new AsmError(`cannot decode slot ${position / SLOT_SIZE}: ${reason}`);
