/** Puts the answers of CO-RE relocation into instructions (the rules of libbpf's `bpf_core_patch_insn`). */
import { type Instruction, isWide, opcodes } from "../asm/index.ts";
import { BtfError, CoreKind, resolveCore, type Btf, type CoreRecord, type CoreResult } from "../btf/index.ts";

/**
 * The call of a helper that there is not, which stands for an access to
 * something that the target kernel has not: the verifier refuses it, but only
 * where the program can get there.
 */
export const MISSING_HELPER = 0xbad2310;

/** The size field of a load or store, by bytes. */
const sizeBits: Readonly<Record<number, number>> = { 1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18 };

/**
 * The instruction with the number that a CO-RE record asks for; or what stands
 * in its place, slot for slot, where the target has nothing to ask about.
 * @throws {BtfError}
 */
export function relocateCore(
  instruction: Instruction,
  record: CoreRecord,
  local: Btf,
  target: () => Btf,
): readonly Instruction[] {
  const result = resolveCore(record, local, target);
  if (result.target !== undefined) return [patch(instruction, result, result.target, record.kind)];
  // The verifier's log shows the line of what it refuses; the C line alone would not tell what is missing.
  const { file = "", line = 0, column = 0, text = "" } = instruction.source ?? {};
  const missing: Instruction = {
    opcode: opcodes.CALL,
    dst: 0,
    src: 0,
    offset: 0,
    immediate: MISSING_HELPER,
    source: { file, line, column, text: `/* CO-RE: there is no ${result.text} on the target */ ${text.trimStart()}` },
  };
  return isWide(instruction) ? [missing, missing] : [missing];
}

function patch(instruction: Instruction, result: CoreResult, target: bigint, kind: number): Instruction {
  switch (opcodes.classOf(instruction.opcode)) {
    case opcodes.BPF_ALU:
    case opcodes.BPF_ALU64:
      if ((instruction.opcode & opcodes.BPF_X) !== 0) break;
      return {
        ...instruction,
        immediate: Number(within(BigInt.asIntN(32, target), -0x8000_0000n, 0x7fff_ffffn, result)),
      };
    case opcodes.BPF_LDX:
    case opcodes.BPF_ST:
    case opcodes.BPF_STX:
      return resize({ ...instruction, offset: Number(within(target, -0x8000n, 0x7fffn, result)) }, result, kind);
    default:
      if (instruction.opcode === opcodes.LDDW) {
        return {
          ...instruction,
          immediate: Number(BigInt.asIntN(32, target)),
          immediateHigh: Number(BigInt.asIntN(32, target >> 32n)),
        };
      }
  }
  throw new BtfError(
    `CO-RE access to ${result.text} by an instruction with opcode 0x${instruction.opcode.toString(16)}, which takes no such number`,
  );
}

function within(value: bigint, min: bigint, max: bigint, { text }: CoreResult): bigint {
  if (value < min || value > max) throw new BtfError(`${text} is at ${value}, which the instruction cannot hold`);
  return value;
}

/** A field that has another size on the target is loaded with that size, where the number stays the same. */
function resize(instruction: Instruction, { resize: sizes, text }: CoreResult, kind: number): Instruction {
  if (kind !== CoreKind.FIELD_BYTE_OFFSET || sizes === undefined || sizes.local === sizes.target) return instruction;
  const bits = sizeBits[sizes.target];
  const scalar = sizeBits[sizes.local] !== undefined;
  // An array or struct that grew is fine as long as this access stays in its part.
  if (!scalar || opcodes.sizeOf(instruction.opcode) !== sizeBits[sizes.local]) return instruction;
  if (bits === undefined || !sizes.zeroExtends) {
    throw new BtfError(
      `${text} has ${sizes.target} bytes in place of ${sizes.local} and cannot be accessed with the same instruction: use BPF_CORE_READ_BITFIELD or bpf_core_field_size`,
    );
  }
  return { ...instruction, opcode: (instruction.opcode & ~0x18) | bits };
}
