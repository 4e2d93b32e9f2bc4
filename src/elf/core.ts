/** Puts the answers of CO-RE relocation into instructions (the rules of libbpf's `bpf_core_patch_insn`). */
import { isWide, opcodes, type Instruction } from "../asm/index.ts";
import { BtfError, type CoreResult } from "../btf/index.ts";

/**
 * The number of a helper that no kernel has. A call of it stands for whatever
 * the target kernel lacks: the verifier refuses it, but only where the program
 * can get there.
 */
export const MISSING_HELPER = 0xbad2310;

const { BPF_ALU, BPF_ALU64, BPF_LDX, BPF_ST, BPF_STX, BPF_X, CALL, classOf, LDDW, sizeOf } = opcodes;

/** The size field of a load or store, by bytes. */
const sizeBits: Readonly<Record<number, number>> = { 1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18 };

/** The instructions in place of one that refers to something the target lacks, slot for slot. */
export function missingInstruction(instruction: Instruction, what: string): readonly Instruction[] {
  // The verifier's log shows the source line of the instruction that it refuses: say there what is missing.
  const { file = "", line = 0, column = 0, text = "" } = instruction.source ?? {};
  const missing: Instruction = {
    opcode: CALL,
    dst: 0,
    src: 0,
    offset: 0,
    immediate: MISSING_HELPER,
    reference: { kind: "missing", name: what },
    source: { file, line, column, text: `/* ${what} */ ${text.trimStart()}` },
  };
  return isWide(instruction) ? [missing, missing] : [missing];
}

/**
 * The instruction with the answer to its CO-RE record; or what stands in its
 * place, slot for slot, where the target lacks what it accesses.
 * @throws {BtfError} where the instruction holds another value than the object's
 * own types give, or cannot hold the target's
 */
export function relocateCore(instruction: Instruction, result: CoreResult): readonly Instruction[] {
  const { target, text, narrowed } = result;
  if (target === undefined) {
    const where = narrowed ? " in the type that earlier accesses chose, of several with this name" : "";
    return missingInstruction(instruction, `the target kernel has no ${text}${where} (CO-RE)`);
  }
  switch (classOf(instruction.opcode)) {
    case BPF_ALU:
    case BPF_ALU64:
      if ((instruction.opcode & BPF_X) !== 0) break;
      check(BigInt(instruction.immediate), result);
      return [{ ...instruction, immediate: Number(BigInt.asIntN(32, target)) }];
    case BPF_LDX:
    case BPF_ST:
    case BPF_STX:
      return relocateAccess(instruction, target, result);
    default:
      if (instruction.opcode === LDDW && instruction.src === 0) {
        const { immediate, immediateHigh = 0 } = instruction;
        check((BigInt(immediateHigh) << 32n) | BigInt.asUintN(32, BigInt(immediate)), result);
        const [low, high] = [BigInt.asIntN(32, target), BigInt.asIntN(32, target >> 32n)];
        return [{ ...instruction, immediate: Number(low), immediateHigh: Number(high) }];
      }
  }
  throw new BtfError(
    `CO-RE access to ${text} by an instruction with opcode 0x${instruction.opcode.toString(16)}, ` +
      "which takes no such number",
  );
}

/** The record belongs to another instruction, or to other types, where the compiler's value is another. */
function check(value: bigint, { local, text }: CoreResult): void {
  if (local !== undefined && BigInt.asIntN(64, local) !== BigInt.asIntN(64, value))
    throw new BtfError(`CO-RE access to ${text}: the instruction holds ${value}, and the object's types say ${local}`);
}

function relocateAccess(instruction: Instruction, target: bigint, result: CoreResult): readonly Instruction[] {
  const { text, resize } = result;
  check(BigInt(instruction.offset), result);
  if (target > 0x7fffn) throw new BtfError(`${text} is at ${target}, which the instruction cannot hold`);
  const offset = Number(target);
  if (resize === undefined || resize.local === resize.target) return [{ ...instruction, offset }];
  if (!resize.safe) {
    const size = (bytes: number) => (bytes === 0 ? "is a bit field" : `has ${bytes} bytes`);
    const what = `${text} ${size(resize.target)} in the target kernel, and ${size(resize.local)} in the program`;
    return missingInstruction(
      instruction,
      `${what}: read it with BPF_CORE_READ_BITFIELD or bpf_core_field_size (CO-RE)`,
    );
  }
  // A field of another size is accessed with that size, where the number stays the same.
  const bits = sizeBits[resize.target];
  if (sizeOf(instruction.opcode) !== sizeBits[resize.local] || bits === undefined) {
    throw new BtfError(
      `${text} has ${resize.target} bytes in place of ${resize.local} and cannot be accessed ` +
        "with the same instruction: " +
        "use BPF_CORE_READ_BITFIELD or bpf_core_field_size",
    );
  }
  return [{ ...instruction, offset, opcode: (instruction.opcode & ~0x18) | bits }];
}
