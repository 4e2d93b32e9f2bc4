/** Translates arithmetic and byte order instructions to JavaScript (RFC 9669, sections 4.1 and 4.2). */
import { type Instruction, opcodes as op } from "../../asm/index.ts";
import { registerOperand, sourceOperand, unsigned, type Operand } from "./operand.ts";

/** The statements of an instruction of class ALU or ALU64; undefined for an unknown instruction. */
export function translateArithmetic(instruction: Instruction): string | undefined {
  const wide = op.classOf(instruction.opcode) === op.BPF_ALU64;
  const operation = op.operationOf(instruction.opcode);
  const destination = registerOperand(instruction.dst);
  if (operation === op.BPF_END) return byteOrder(instruction, wide, destination);
  const source = sourceOperand(instruction);
  const signed = instruction.offset !== 0;
  if (operation === op.BPF_MOV) return move(instruction, wide, destination, source);
  return wide
    ? wideOperation(operation, signed, destination, source, instruction)
    : narrowOperation(operation, signed, destination, source);
}

function narrowOperation(
  operation: number,
  signed: boolean,
  { low, high }: Operand,
  source: Operand,
): string | undefined {
  const value = narrowValue(operation, signed, low, source.low);
  return value === undefined ? undefined : `${low}=${value};${high}=0;`;
}

/** JavaScript shifts take the count modulo 32, like the machine. */
function narrowValue(operation: number, signed: boolean, low: string, by: string): string | undefined {
  switch (operation) {
    case op.BPF_ADD:
      return `(${low}+${by})|0`;
    case op.BPF_SUB:
      return `(${low}-${by})|0`;
    case op.BPF_MUL:
      return `Math.imul(${low},${by})`;
    case op.BPF_DIV:
      return signed ? `${by}===0?0:(${low}/${by})|0` : `${by}===0?0:(${unsigned(low)}/${unsigned(by)})|0`;
    case op.BPF_MOD:
      return signed ? `${by}===0?${low}:(${low}%${by})|0` : `${by}===0?${low}:(${unsigned(low)}%${unsigned(by)})|0`;
    case op.BPF_OR:
      return `${low}|${by}`;
    case op.BPF_AND:
      return `${low}&${by}`;
    case op.BPF_XOR:
      return `${low}^${by}`;
    case op.BPF_LSH:
      return `${low}<<${by}`;
    case op.BPF_RSH:
      return `(${low}>>>${by})|0`;
    case op.BPF_ARSH:
      return `${low}>>${by}`;
    case op.BPF_NEG:
      return `(-${low})|0`;
    default:
      return undefined;
  }
}

function wideOperation(
  operation: number,
  signed: boolean,
  destination: Operand,
  source: Operand,
  instruction: Instruction,
): string | undefined {
  const { low, high } = destination;
  switch (operation) {
    case op.BPF_ADD:
      return (
        `t=(${low}+${source.low})|0;` +
        `${high}=(${high}+${source.high}+(${unsigned("t")}<${unsigned(low)}?1:0))|0;${low}=t;`
      );
    case op.BPF_SUB:
      return (
        `t=(${low}-${source.low})|0;` +
        `${high}=(${high}-${source.high}-(${unsigned(low)}<${unsigned(source.low)}?1:0))|0;${low}=t;`
      );
    case op.BPF_MUL:
      return (
        `t=Math.imul(${low},${source.low});` +
        `${high}=(A.multiplyHigh(${low},${source.low},t)+Math.imul(${high},${source.low})` +
        `+Math.imul(${low},${source.high}))|0;${low}=t;`
      );
    case op.BPF_DIV:
      return viaResult(signed ? "divideSigned" : "divide", destination, source);
    case op.BPF_MOD:
      return viaResult(signed ? "moduloSigned" : "modulo", destination, source);
    case op.BPF_OR:
      return `${low}|=${source.low};${high}|=${source.high};`;
    case op.BPF_AND:
      return `${low}&=${source.low};${high}&=${source.high};`;
    case op.BPF_XOR:
      return `${low}^=${source.low};${high}^=${source.high};`;
    case op.BPF_NEG:
      return `${low}=(-${low})|0;${high}=(~${high}+(${low}===0?1:0))|0;`;
    case op.BPF_LSH:
    case op.BPF_RSH:
    case op.BPF_ARSH:
      return op.takesRegister(instruction.opcode)
        ? shiftByRegister(operation, destination, source.low)
        : shiftByConstant(operation, destination, instruction.immediate & 63);
    default:
      return undefined;
  }
}

const viaResult = (name: string, { low, high }: Operand, source: Operand): string =>
  `${low}=A.${name}(${low},${high},${source.low},${source.high});${high}=A.result.high;`;

function shiftByConstant(operation: number, { low, high }: Operand, count: number): string {
  if (count === 0) return "";
  const rest = 32 - count;
  switch (operation) {
    case op.BPF_LSH:
      if (count < 32) return `${high}=(${high}<<${count})|(${low}>>>${rest});${low}<<=${count};`;
      return `${high}=${low}<<${count - 32};${low}=0;`;
    case op.BPF_RSH:
      if (count < 32) return `${low}=(${low}>>>${count})|(${high}<<${rest});${high}=(${high}>>>${count})|0;`;
      return `${low}=(${high}>>>${count - 32})|0;${high}=0;`;
    default:
      if (count < 32) return `${low}=(${low}>>>${count})|(${high}<<${rest});${high}>>=${count};`;
      return `${low}=${high}>>${count - 32};${high}>>=31;`;
  }
}

function shiftByRegister(operation: number, destination: Operand, by: string): string {
  // JavaScript takes counts modulo 32, so 32-t can be written as -t, and t-32 as t.
  const { low, high } = destination;
  const head = `t=${by}&63;`;
  switch (operation) {
    case op.BPF_LSH:
      return (
        `${head}if(t>31){${high}=${low}<<t;${low}=0;}` +
        `else if(t!==0){${high}=(${high}<<t)|(${low}>>>-t);${low}<<=t;}`
      );
    case op.BPF_RSH:
      return (
        `${head}if(t>31){${low}=(${high}>>>t)|0;${high}=0;}` +
        `else if(t!==0){${low}=(${low}>>>t)|(${high}<<-t);${high}=(${high}>>>t)|0;}`
      );
    default:
      return (
        `${head}if(t>31){${low}=${high}>>t;${high}>>=31;}` +
        `else if(t!==0){${low}=(${low}>>>t)|(${high}<<-t);${high}>>=t;}`
      );
  }
}

function move(instruction: Instruction, wide: boolean, { low, high }: Operand, source: Operand): string | undefined {
  const shift = 32 - instruction.offset;
  switch (instruction.offset) {
    case 0:
      return `${low}=${source.low};${high}=${wide ? source.high : "0"};`;
    case 8:
    case 16:
      return `${low}=(${source.low}<<${shift})>>${shift};${high}=${wide ? `${low}>>31` : "0"};`;
    case 32:
      return `${low}=${source.low};${high}=${low}>>31;`;
    default:
      return undefined;
  }
}

function byteOrder({ opcode, immediate }: Instruction, wide: boolean, { low, high }: Operand): string | undefined {
  const swaps = wide || op.takesRegister(opcode);
  switch (immediate) {
    case 16:
      return `${low}=${swaps ? `((${low}>>>8)&255)|((${low}&255)<<8)` : `${low}&65535`};${high}=0;`;
    case 32:
      return `${swaps ? `${low}=A.swap32(${low});` : ""}${high}=0;`;
    case 64:
      return swaps ? `t=A.swap32(${low});${low}=A.swap32(${high});${high}=t;` : "";
    default:
      return undefined;
  }
}
