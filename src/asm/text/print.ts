import { AsmError } from "../error.ts";
import { fieldFault } from "../fields.ts";
import { helperName } from "../helpers/index.ts";
import type { Instruction } from "../instruction.ts";
import * as op from "../opcode.ts";
import { arithmeticSigns, atomicNames, comparisonSigns } from "./operators.ts";

/**
 * An instruction as text, in the syntax of the verifier's log and of LLVM;
 * `parseAssembly` gives the same instruction back.
 *
 * `target` names the target of a jump, a call or a subprogram's address; by default the
 * label if unresolved, else the offset in slots.
 * @throws {AsmError} for invalid fields.
 *
 * @example
 * ```ts
 * import { add, formatInstruction, r1 } from "tsbpf/asm";
 *
 * formatInstruction(add(r1, 4)); // "r1 += 4"
 * ```
 */
export function formatInstruction(instruction: Instruction, target?: string): string {
  const { opcode, dst, src, offset, immediate, immediateHigh = 0 } = instruction;
  const fault = fieldFault(opcode, dst, src, offset, immediate, immediateHigh);
  if (fault !== undefined) throw new AsmError(`cannot print an instruction: ${fault}`);
  switch (op.classOf(opcode)) {
    case op.BPF_ALU:
    case op.BPF_ALU64:
      return arithmetic(instruction);
    case op.BPF_JMP:
    case op.BPF_JMP32:
      return jump(instruction, target);
    case op.BPF_LDX: {
      const sign = op.modeOf(opcode) === op.BPF_MEMSX ? "s" : "u";
      return `r${dst} = *(${sign}${bits(opcode)} *)(${address(src, offset)})`;
    }
    case op.BPF_ST:
      return `*(u${bits(opcode)} *)(${address(dst, offset)}) = ${immediate}`;
    case op.BPF_STX:
      return op.modeOf(opcode) === op.BPF_MEM
        ? `*(u${bits(opcode)} *)(${address(dst, offset)}) = r${src}`
        : atomic(instruction);
    default:
      return opcode === op.LDDW ? wide(instruction, target) : packet(instruction);
  }
}

/** The target of a jump, a call of a subprogram or an address of one, in slots from the next slot; else undefined. */
export function jumpOffset({ opcode, src, offset, immediate }: Instruction): number | undefined {
  const cls = op.classOf(opcode);
  if (opcode === op.LDDW) return src === op.BPF_PSEUDO_FUNC ? immediate : undefined;
  if (cls !== op.BPF_JMP && cls !== op.BPF_JMP32) return undefined;
  switch (opcode) {
    case op.CALL:
      return src === op.BPF_PSEUDO_CALL ? immediate : undefined;
    case op.GOTOL:
      return immediate;
    case op.EXIT:
    case op.CALLX:
    case op.GOTOX:
      return undefined;
    default:
      return offset;
  }
}

function arithmetic({ opcode, dst, src, offset, immediate }: Instruction): string {
  const wide = op.classOf(opcode) === op.BPF_ALU64;
  const letter = wide ? "r" : "w";
  const operation = op.operationOf(opcode);
  const register = op.takesRegister(opcode);
  if (operation === op.BPF_NEG) return `${letter}${dst} = -${letter}${dst}`;
  if (operation === op.BPF_END) return `r${dst} = ${wide ? "bswap" : register ? "be" : "le"}${immediate} r${dst}`;
  if (operation === op.BPF_MOV && offset === 1) {
    return `r${dst} = addr_space_cast(r${src}, ${immediate >>> 16}, ${immediate & 0xffff})`;
  }
  if (operation === op.BPF_MOV && offset !== 0) return `${letter}${dst} = (s${offset})${letter}${src}`;
  const sign = `${offset === 1 ? "s" : ""}${arithmeticSigns.get(operation)!}`;
  return `${letter}${dst} ${sign} ${register ? `${letter}${src}` : immediate}`;
}

function jump(instruction: Instruction, target: string | undefined): string {
  const { opcode, dst, src, immediate } = instruction;
  if (opcode === op.CALL) return call(instruction, target);
  if (opcode === op.EXIT) return "exit";
  if (opcode === op.CALLX) return `callx r${dst}`;
  if (opcode === op.GOTOX) return `gotox r${dst}`;
  const place = target ?? placeOf(instruction);
  if (opcode === op.GOTO) return `goto ${place}`;
  if (opcode === op.GOTOL) return `gotol ${place}`;
  if (opcode === op.MAY_GOTO) return `may_goto ${place}`;
  const letter = op.classOf(opcode) === op.BPF_JMP ? "r" : "w";
  const right = op.takesRegister(opcode) ? `${letter}${src}` : hex(immediate);
  return `if ${letter}${dst} ${comparisonSigns.get(op.operationOf(opcode))!} ${right} goto ${place}`;
}

function call(instruction: Instruction, target: string | undefined): string {
  const { src, offset, immediate, reference } = instruction;
  if (src === op.BPF_PSEUDO_KFUNC_CALL) {
    const module = offset === 0 ? "" : ` btf[${offset}]`;
    return reference?.kind === "kernel-function"
      ? `call kernel-function ${reference.name}${module}`
      : `call kernel-function#${immediate}${module}`;
  }
  if (src === op.BPF_PSEUDO_CALL) {
    if (target !== undefined) return `call ${target}`;
    return reference?.kind === "label" ? `call ${reference.name}` : `call pc${signed(immediate)}`;
  }
  return `call ${helperName(immediate) ?? "unknown"}#${immediate}`;
}

function atomic({ opcode, dst, src, offset, immediate }: Instruction): string {
  const size = bits(opcode);
  const letter = size === 64 ? "r" : "w";
  const pointer = `(u${size} *)(${address(dst, offset)})`;
  switch (immediate) {
    case op.BPF_LOAD_ACQ:
      return `${letter}${dst} = load_acquire((u${size} *)(${address(src, offset)}))`;
    case op.BPF_STORE_REL:
      return `store_release(${pointer}, ${letter}${src})`;
    case op.BPF_XCHG:
      return `${letter}${src} = xchg${size === 64 ? "_64" : "32_32"}(${address(dst, offset)}, ${letter}${src})`;
    case op.BPF_CMPXCHG:
      return (
        `${letter}0 = cmpxchg${size === 64 ? "_64" : "32_32"}` +
        `(${address(dst, offset)}, ${letter}0, ${letter}${src})`
      );
  }
  const operation = immediate & ~op.BPF_FETCH;
  return (immediate & op.BPF_FETCH) !== 0
    ? `${letter}${src} = atomic_fetch_${atomicNames.get(operation)!}(${pointer}, ${letter}${src})`
    : `lock *${pointer} ${arithmeticSigns.get(operation)!} ${letter}${src}`;
}

function wide(instruction: Instruction, target: string | undefined): string {
  const { dst, src, immediate, immediateHigh = 0, reference } = instruction;
  return `r${dst} = ${wideOperand()} ll`;

  function wideOperand(): string {
    const name = reference !== undefined && reference.kind !== "label" ? reference.name : undefined;
    switch (src) {
      case op.BPF_PSEUDO_MAP_FD:
        return `map[${name ?? `fd:${immediate}`}]`;
      case op.BPF_PSEUDO_MAP_VALUE:
        return `map[${name ?? `fd:${immediate}`}][0]${signed(immediateHigh)}`;
      case op.BPF_PSEUDO_MAP_IDX:
        return `map[idx:${immediate}]`;
      case op.BPF_PSEUDO_MAP_IDX_VALUE:
        return `map[idx:${immediate}][0]${signed(immediateHigh)}`;
      case op.BPF_PSEUDO_BTF_ID:
        return `btf[${immediateHigh === 0 ? "" : `fd:${immediateHigh}, `}id:${immediate}]`;
      case op.BPF_PSEUDO_FUNC:
        return `subprog[${target ?? name ?? signed(immediate)}]`;
      default:
        return immediateHigh === 0
          ? `0x${(immediate >>> 0).toString(16)}`
          : `0x${(immediateHigh >>> 0).toString(16)}${(immediate >>> 0).toString(16).padStart(8, "0")}`;
    }
  }
}

function packet({ opcode, src, immediate }: Instruction): string {
  const place =
    op.modeOf(opcode) === op.BPF_ABS ? `${immediate}` : immediate === 0 ? `r${src}` : address(src, immediate);
  return `r0 = *(u${bits(opcode)} *)skb[${place}]`;
}

/** The width of a load or store. */
function bits(opcode: number): 8 | 16 | 32 | 64 {
  switch (op.sizeOf(opcode)) {
    case op.BPF_B:
      return 8;
    case op.BPF_H:
      return 16;
    case op.BPF_W:
      return 32;
    default:
      return 64;
  }
}

const placeOf = (instruction: Instruction): string =>
  instruction.reference?.kind === "label" ? instruction.reference.name : signed(jumpOffset(instruction)!);
const address = (register: number, offset: number): string =>
  `r${register} ${offset < 0 ? "-" : "+"} ${Math.abs(offset)}`;
const signed = (value: number): string => `${value < 0 ? "-" : "+"}${Math.abs(value)}`;
const hex = (value: number): string => `${value < 0 ? "-" : ""}0x${Math.abs(value).toString(16)}`;
