/** Translates jump conditions to JavaScript (RFC 9669, section 4.3). */
import { type Instruction, opcodes as op } from "../../asm/index.ts";
import { registerOperand, sourceOperand, unsigned, type Operand } from "./operand.ts";

/** The condition of a conditional jump of class JMP or JMP32; undefined for another instruction. */
export function translateCondition(instruction: Instruction): string | undefined {
  const wide = op.classOf(instruction.opcode) === op.BPF_JMP;
  const left = registerOperand(instruction.dst);
  const right = sourceOperand(instruction);
  const operation = op.operationOf(instruction.opcode);
  return wide ? wideCondition(operation, left, right) : narrowCondition(operation, left.low, right.low);
}

function narrowCondition(operation: number, left: string, right: string): string | undefined {
  switch (operation) {
    case op.BPF_JEQ:
      return `${left}===${right}`;
    case op.BPF_JNE:
      return `${left}!==${right}`;
    case op.BPF_JSET:
      return `(${left}&${right})!==0`;
    case op.BPF_JGT:
      return `${unsigned(left)}>${unsigned(right)}`;
    case op.BPF_JGE:
      return `${unsigned(left)}>=${unsigned(right)}`;
    case op.BPF_JLT:
      return `${unsigned(left)}<${unsigned(right)}`;
    case op.BPF_JLE:
      return `${unsigned(left)}<=${unsigned(right)}`;
    case op.BPF_JSGT:
      return `${left}>${right}`;
    case op.BPF_JSGE:
      return `${left}>=${right}`;
    case op.BPF_JSLT:
      return `${left}<${right}`;
    case op.BPF_JSLE:
      return `${left}<=${right}`;
    default:
      return undefined;
  }
}

function wideCondition(operation: number, left: Operand, right: Operand): string | undefined {
  /** If the high halves are equal, the low halves decide, always unsigned. */
  const order = (comparison: string, half: (expression: string) => string) =>
    `(${left.high}===${right.high}?${unsigned(left.low)}${comparison}${unsigned(right.low)}` +
    `:${half(left.high)}${comparison}${half(right.high)})`;
  const signed = (expression: string) => expression;
  switch (operation) {
    case op.BPF_JEQ:
      return `${left.low}===${right.low}&&${left.high}===${right.high}`;
    case op.BPF_JNE:
      return `${left.low}!==${right.low}||${left.high}!==${right.high}`;
    case op.BPF_JSET:
      return `((${left.low}&${right.low})|(${left.high}&${right.high}))!==0`;
    case op.BPF_JGT:
      return order(">", unsigned);
    case op.BPF_JGE:
      return order(">=", unsigned);
    case op.BPF_JLT:
      return order("<", unsigned);
    case op.BPF_JLE:
      return order("<=", unsigned);
    case op.BPF_JSGT:
      return order(">", signed);
    case op.BPF_JSGE:
      return order(">=", signed);
    case op.BPF_JSLT:
      return order("<", signed);
    case op.BPF_JSLE:
      return order("<=", signed);
    default:
      return undefined;
  }
}
