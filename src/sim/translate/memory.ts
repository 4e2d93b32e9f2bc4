/** Translates loads, stores and atomic operations to JavaScript (RFC 9669, section 5). */
import { type Instruction, opcodes as op } from "../../asm/index.ts";
import { REGION_START } from "../memory/region.ts";
import { FRAME_SIZE } from "../memory/stack-frame.ts";
import { immediateOperand, literal, registerOperand, type Operand } from "./operand.ts";

type Size = 1 | 2 | 4 | 8;

export function sizeInBytes(opcode: number): Size {
  switch (op.sizeOf(opcode)) {
    case op.BPF_B:
      return 1;
    case op.BPF_H:
      return 2;
    case op.BPF_W:
      return 4;
    default:
      return 8;
  }
}

/** The statements of an instruction of class LDX, ST or STX; undefined for an unknown instruction. */
export function translateAccess(instruction: Instruction, index: number): string | undefined {
  const { opcode } = instruction;
  const size = sizeInBytes(opcode);
  switch (op.classOf(opcode)) {
    case op.BPF_LDX:
      return load(instruction, index, size, op.modeOf(opcode) === op.BPF_MEMSX);
    case op.BPF_ST:
      return store(instruction, index, size, immediateOperand(instruction.immediate));
    default:
      if (op.modeOf(opcode) === op.BPF_MEM) return store(instruction, index, size, registerOperand(instruction.src));
      return atomic(instruction, index, size);
  }
}

/**
 * The frame slot at a constant offset from the frame pointer: index of its first byte, and its bits in the
 * bitmap of written bytes. Undefined if the access is unaligned or outside the frame.
 */
function frameSlot(
  base: number,
  offset: number,
  size: Size,
): { at: number; written: string; mask: number } | undefined {
  const at = FRAME_SIZE + offset;
  if (base !== 10 || at < 0 || at + size > FRAME_SIZE || at % size !== 0) return undefined;
  return { at, written: `W[${at >> 3}]`, mask: ((1 << size) - 1) << (at & 7) };
}

const address = (base: number, offset: number): string => {
  const { low, high } = registerOperand(base);
  return `${high},(${low}+${literal(offset)})|0`;
};

function load({ dst, src, offset }: Instruction, index: number, size: Size, signed: boolean): string {
  const target = registerOperand(dst);
  const narrow = size === 4 ? "" : `${target.low}=(${target.low}<<${32 - 8 * size})>>${32 - 8 * size};`;
  const extend = signed ? `${narrow}${target.high}=${target.low}>>31;` : size === 8 ? "" : `${target.high}=0;`;
  const highHalf = size === 8 ? `${target.high}=M.high;` : "";
  const slow = `${target.low}=M.load(U,${index},${address(src, offset)},${size});${highHalf}`;
  const slot = frameSlot(src, offset, size);
  if (slot !== undefined) {
    const fast = loadFrame(target, slot.at, size);
    return `if((${slot.written}&${slot.mask})!==${slot.mask}){${slow}}else{${fast}}${extend}`;
  }
  if (src === 10) return slow + extend;
  const base = registerOperand(src);
  return (
    `o=(${base.low}+${literal(offset - REGION_START)})|0;m=R[${base.high}];` +
    `if(m!==undefined&&o>=0&&o<=m.loadable-${size}){${loadRegion(target, size)}}else{${slow}}${extend}`
  );
}

function loadFrame({ low, high }: Operand, at: number, size: Size): string {
  switch (size) {
    case 1:
      return `${low}=F.bytes[${at}];`;
    case 2:
      return `${low}=F.view.getUint16(${at},true);`;
    case 4:
      return `${low}=S[${at >> 2}];`;
    case 8:
      return `${low}=S[${at >> 2}];${high}=S[${(at >> 2) + 1}];`;
  }
}

function loadRegion({ low, high }: Operand, size: Size): string {
  switch (size) {
    case 1:
      return `${low}=m.bytes[o];`;
    case 2:
      return `${low}=m.view.getUint16(o,true);`;
    case 4:
      return `${low}=m.view.getInt32(o,true);`;
    case 8:
      return `${low}=m.view.getInt32(o,true);${high}=m.view.getInt32(o+4,true);`;
  }
}

function store({ dst, offset }: Instruction, index: number, size: Size, value: Operand): string {
  const slot = frameSlot(dst, offset, size);
  if (slot !== undefined) return `${storeFrame(value, slot.at, size)}${slot.written}|=${slot.mask};`;
  const slow = `M.store(U,${index},${address(dst, offset)},${size},${value.low},${value.high});`;
  if (dst === 10) return slow;
  const base = registerOperand(dst);
  return (
    `o=(${base.low}+${literal(offset - REGION_START)})|0;m=R[${base.high}];` +
    `if(m!==undefined&&o>=0&&o<=m.storable-${size}){${storeRegion(value, size)}}else{${slow}}`
  );
}

function storeFrame({ low, high }: Operand, at: number, size: Size): string {
  switch (size) {
    case 1:
      return `F.bytes[${at}]=${low};`;
    case 2:
      return `F.view.setInt16(${at},${low},true);`;
    case 4:
      return `S[${at >> 2}]=${low};`;
    case 8:
      return `S[${at >> 2}]=${low};S[${(at >> 2) + 1}]=${high};`;
  }
}

function storeRegion({ low, high }: Operand, size: Size): string {
  switch (size) {
    case 1:
      return `m.bytes[o]=${low};`;
    case 2:
      return `m.view.setInt16(o,${low},true);`;
    case 4:
      return `m.view.setInt32(o,${low},true);`;
    case 8:
      return `m.view.setInt32(o,${low},true);m.view.setInt32(o+4,${high},true);`;
  }
}

function atomic(instruction: Instruction, index: number, size: Size): string {
  const { dst, src, offset, immediate } = instruction;
  // Execution is single-threaded, so plain accesses are fully ordered.
  if (immediate === op.BPF_LOAD_ACQ) return load(instruction, index, size, false);
  if (immediate === op.BPF_STORE_REL) return store(instruction, index, size, registerOperand(src));
  const value = registerOperand(src);
  const call = `M.atomic(U,${index},${immediate},${address(dst, offset)},${size},${value.low},${value.high},l0,h0)`;
  if ((immediate & op.BPF_FETCH) === 0) return `${call};`;
  const receiver = immediate === op.BPF_CMPXCHG ? registerOperand(0) : value;
  return `${receiver.low}=${call};${receiver.high}=M.high;`;
}
