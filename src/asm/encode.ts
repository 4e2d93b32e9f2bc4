import { AsmError } from "./error.ts";
import { fieldFault } from "./fields.ts";
import type { Instruction } from "./instruction.ts";
import { LDDW } from "./opcode.ts";

/** Bytes in a slot. An instruction takes one slot, `lddw` two. */
export const SLOT_SIZE = 8;

/**
 * Whether an instruction takes two slots.
 *
 * @example
 * ```ts
 * import { isWide, lddw, r1 } from "tsbpf/asm";
 *
 * isWide(lddw(r1, 1)); // true
 * ```
 */
export const isWide = (instruction: Instruction): boolean => instruction.opcode === LDDW;

/**
 * The number of slots in a list of instructions: the unit of jump offsets.
 *
 * @example
 * ```ts
 * import { exit, lddw, r1, slotCount } from "tsbpf/asm";
 *
 * slotCount([lddw(r1, 1), exit()]); // 3
 * ```
 */
export function slotCount(instructions: readonly Instruction[]): number {
  let slots = instructions.length;
  for (const instruction of instructions) if (instruction.opcode === LDDW) slots++;
  return slots;
}

/**
 * The bytes of a program, 8 per slot, little-endian (RFC 9669, section 3).
 *
 * References to maps and kernel functions, which the loader fills in, are encoded
 * with their kind and the number 0.
 * @throws {AsmError} for invalid fields, and for a label that `assemble` has not
 *   resolved; the message names the slot.
 *
 * @example
 * ```ts
 * import { encode, exit, mov, r0 } from "tsbpf/asm";
 *
 * encode([mov(r0, 1), exit()]); // 16 bytes
 * ```
 */
export function encode(instructions: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(slotCount(instructions) * SLOT_SIZE);
  const view = new DataView(bytes.buffer);
  let position = 0;
  for (let i = 0; i < instructions.length; i++) {
    const instruction = instructions[i]!;
    const { reference } = instruction;
    if (reference !== undefined && (reference.kind === "label" || reference.kind === "function")) {
      throw fault(position, `label "${reference.name}" is not resolved: pass the program through assemble() first`);
    }
    position = encodeAt(view, position, instruction);
  }
  return bytes;
}

/**
 * Encodes one instruction at a byte position, where there must be room, and returns
 * the position after it. A label reference is encoded as 0.
 * @throws {AsmError} as `encode`
 */
export function encodeAt(view: DataView, position: number, instruction: Instruction): number {
  const { opcode, dst, src, offset, immediate, immediateHigh } = instruction;
  // These stores change a number that is not an integer, or is too wide.
  if (
    (opcode & 0xff) !== opcode ||
    (dst & 0xf) !== dst ||
    (src & 0xf) !== src ||
    (offset << 16) >> 16 !== offset ||
    (immediate | 0) !== immediate
  )
    throw fault(position, rangeFault(instruction));
  let high = 0;
  if (immediateHigh !== undefined) {
    high = immediateHigh;
    if (opcode !== LDDW)
      throw fault(position, `only lddw has a second immediate, opcode 0x${opcode.toString(16)} has none`);
    if ((high | 0) !== high) throw fault(position, rangeFault(instruction));
  }
  const reason = fieldFault(opcode, dst, src, offset, immediate, high);
  if (reason !== undefined) throw fault(position, reason);
  view.setUint32(position, opcode | (dst << 8) | (src << 12) | (offset << 16), true);
  view.setInt32(position + 4, immediate, true);
  if (opcode !== LDDW) return position + SLOT_SIZE;
  view.setUint32(position + SLOT_SIZE, 0, true);
  view.setInt32(position + SLOT_SIZE + 4, high, true);
  return position + 2 * SLOT_SIZE;
}

function rangeFault({ opcode, dst, src, offset, immediate, immediateHigh = 0 }: Instruction): string {
  const fields: readonly [name: string, value: number, min: number, max: number][] = [
    ["opcode", opcode, 0, 0xff],
    ["destination register", dst, 0, 10],
    ["source register", src, 0, 10],
    ["offset", offset, -0x8000, 0x7fff],
    ["immediate", immediate, -0x8000_0000, 0x7fff_ffff],
    ["second immediate", immediateHigh, -0x8000_0000, 0x7fff_ffff],
  ];
  const [name, value, min, max] = fields.find(
    ([, value, min, max]) => !Number.isInteger(value) || value < min || value > max,
  )!;
  return `the ${name} is a whole number from ${min} to ${max}, not ${value}`;
}

const fault = (position: number, reason: string): AsmError =>
  new AsmError(`cannot encode slot ${position / SLOT_SIZE}: ${reason}`);
