import { type Instruction, opcodes as op } from "../../asm/index.ts";
import { MAX_CALL_DEPTH } from "../memory/address-space.ts";
import { REGION_START } from "../memory/region.ts";
import { translateArithmetic } from "./alu.ts";
import { findBlocks, type Block } from "./blocks.ts";
import type { ProgramCode } from "./code.ts";
import { translateCondition } from "./jump.ts";
import { sizeInBytes, translateAccess } from "./memory.ts";
import { literal, registerOperand } from "./operand.ts";

/** Number of the tail call helper, which does not return if it succeeds. */
export const TAIL_CALL = 12;

/** The value of r1 to r5 after a call, which leaves them undefined: not an address, and easy to recognise. */
const POISON = 0x6b6b_6b6b;
const clobber = [1, 2, 3, 4, 5].map((register) => `l${register}=h${register}=${POISON};`).join("");
const callArguments = "l1,h1,l2,h2,l3,h3,l4,h4,l5,h5";

/** Iterations of `may_goto` before it jumps (`BPF_MAX_LOOPS`). */
const MAX_LOOPS = 8 * 1024 * 1024;

/**
 * The body of a JavaScript function that returns the translation of the BPF function at `entry`. Its
 * parameters: `U` the program, `A` the arithmetic.
 *
 * Variables of the translation: `l0`/`h0` to `l9`/`h9` registers, `n` steps, `B` budget, `b` the next block,
 * `R` the regions, `F` the stack frame, `S` its words, `W` its bitmap of written bytes, `X` the counters, `g`
 * the remaining iterations of `may_goto`; `m`, `o` and `t` are scratch.
 */
export function translateFunction(program: ProgramCode, entry: number): string {
  const blocks = findBlocks(program, entry);
  const numbers = new Map(blocks.map((block, number) => [block.indexes[0]!, number]));
  const used = blocks.flatMap((block) => block.indexes.map((index) => program.instructions[index]!));
  const ownStack = used.some(({ dst, src }) => dst === 10 || src === 10);
  const writer = new FunctionWriter(program, numbers, ownStack);
  const code = blocks.map((block, number) => writer.block(block, number));
  const jumps = blocks.length > 1 || code[0]!.includes("continue;");
  const body = !jumps
    ? code[0]!
    : `for(;;)switch(b){${code.map((text, number) => `case ${number}:${text}`).join("\n")}}`;
  return `"use strict";let ${["z", ...[...writer.callees].map((callee) => `f${callee}`)].join()};
return (function(M,d,${callArguments}){
let l0=0,h0=0,l6=0,h6=0,l7=0,h7=0,l8=0,h8=0,l9=0,h9=0,n=M.steps,b=0,m,o=0,t=0,g=${MAX_LOOPS};
const B=M.budget,R=M.space.regions,h10=d+1;
${ownStack ? "const F=M.enter(d),S=F.words,W=F.written;" : ""}
${program.coverage ? "const X=M.countersOf(U.instructions);" : ""}
${body}});`;
}

class FunctionWriter {
  readonly #program: ProgramCode;
  readonly #numbers: ReadonlyMap<number, number>;
  readonly #ownStack: boolean;
  /** Entries of the called functions. */
  readonly callees = new Set<number>();

  constructor(program: ProgramCode, numbers: ReadonlyMap<number, number>, ownStack: boolean) {
    this.#program = program;
    this.#numbers = numbers;
    this.#ownStack = ownStack;
  }

  block({ indexes }: Block, number: number): string {
    const first = indexes[0]!;
    const steps = `if((n+=${indexes.length})>B)M.exhausted(U,${first},${indexes.length},n);`;
    const last = indexes.at(-1)!;
    return (
      steps + indexes.map((index) => this.#count(index) + this.#instruction(index)).join("\n") + this.#end(last, number)
    );
  }

  #count(index: number): string {
    return this.#program.coverage ? `X.executed[${index}]++;` : "";
  }

  /** Continues after the last instruction of a block, unless that instruction jumped or returned. */
  #end(last: number, number: number): string {
    const { opcode } = this.#program.instructions[last]!;
    if (opcode === op.GOTO || opcode === op.GOTOL || opcode === op.EXIT) return "";
    return this.#goto(last, last + 1, number);
  }

  /** Continues at an instruction. `number` is the current block, if its case ends here. */
  #goto(from: number, to: number, number?: number): string {
    const block = this.#numbers.get(to);
    if (block === undefined) {
      return this.#fault(
        from,
        to < 0 ? "the instruction jumps out of the program" : "the program runs past its last instruction",
      );
    }
    if (number !== undefined && block === number + 1) return "";
    return `b=${block};continue;`;
  }

  #fault(index: number, reason: string): string {
    return `M.fault(U,${index},${JSON.stringify(reason)});`;
  }

  #instruction(index: number): string {
    const instruction = this.#program.instructions[index]!;
    const text = this.#translate(instruction, index);
    return text ?? this.#fault(index, "the simulator does not know this instruction");
  }

  #translate(instruction: Instruction, index: number): string | undefined {
    switch (op.classOf(instruction.opcode)) {
      case op.BPF_ALU:
      case op.BPF_ALU64:
        return translateArithmetic(instruction);
      case op.BPF_LD:
        return instruction.opcode === op.LDDW
          ? this.#wideImmediate(instruction, index)
          : this.#packet(instruction, index);
      case op.BPF_LDX:
      case op.BPF_ST:
      case op.BPF_STX:
        return translateAccess(instruction, index);
      default:
        return this.#jump(instruction, index);
    }
  }

  #wideImmediate(instruction: Instruction, index: number): string {
    const { low, high } = registerOperand(instruction.dst);
    if (instruction.src === 0 && instruction.reference === undefined) {
      return `${low}=${literal(instruction.immediate)};${high}=${literal(instruction.immediateHigh ?? 0)};`;
    }
    if (instruction.src === op.BPF_PSEUDO_FUNC) {
      const target = this.#program.target(index, instruction.immediate - 1);
      if (target < 0) return this.#fault(index, "there is no function at that address");
      return `${low}=${REGION_START + 8 * target};${high}=M.codeHigh(U);`;
    }
    return `${low}=M.reference(U,${index});${high}=M.high;`;
  }

  /** Legacy packet access (RFC 9669, section 5.5): an access outside the packet ends the program with 0. */
  #packet(instruction: Instruction, index: number): string {
    const size = sizeInBytes(instruction.opcode);
    const relative = op.modeOf(instruction.opcode) === op.BPF_IND ? registerOperand(instruction.src).low : "0";
    return (
      `o=(${relative}+${literal(instruction.immediate)})|0;` +
      `if(!M.packetHolds(U,${index},o,${size})){l0=h0=0;${this.#return()}}l0=M.packet(o,${size});h0=0;${clobber}`
    );
  }

  #return(): string {
    return `M.steps=n;${this.#ownStack ? "M.leave(d);" : ""}M.high=h0;return l0;`;
  }

  #jump(instruction: Instruction, index: number): string | undefined {
    const { opcode, offset, immediate } = instruction;
    switch (opcode) {
      case op.GOTO:
        return this.#goto(index, this.#program.target(index, offset));
      case op.GOTOL:
        return this.#goto(index, this.#program.target(index, immediate));
      case op.EXIT:
        return this.#return();
      case op.CALL:
        return this.#call(instruction, index);
      case op.CALLX: {
        const { low, high } = registerOperand(instruction.dst);
        return this.#around(`M.callRegister(U,${index},d,${low},${high},${callArguments})`);
      }
    }
    const condition = opcode === op.MAY_GOTO ? "--g<0" : translateCondition(instruction);
    if (condition === undefined) return undefined;
    const taken = this.#program.coverage ? `X.taken[${index}]++;` : "";
    return `if(${condition}){${taken}${this.#goto(index, this.#program.target(index, offset))}}`;
  }

  #call({ src, immediate }: Instruction, index: number): string | undefined {
    if (src === op.BPF_PSEUDO_KFUNC_CALL) return this.#around(`M.callKernelFunction(U,${index},d,${callArguments})`);
    if (src === op.BPF_PSEUDO_CALL) {
      const target = this.#program.target(index, immediate);
      if (target < 0) return this.#fault(index, "there is no function at that address");
      this.callees.add(target);
      return (
        `if(d>${MAX_CALL_DEPTH - 2})${this.#fault(index, `more than ${MAX_CALL_DEPTH} calls are open`)}` +
        this.#around(`(f${target}??=U.function(${target}))(M,d+1,${callArguments})`)
      );
    }
    if (immediate !== TAIL_CALL) return this.#around(`M.callHelper(U,${index},d,${immediate},${callArguments})`);
    return (
      `M.steps=n;if((t=M.tailCall(U,${index},d,${callArguments}))!==null){${this.#ownStack ? "M.leave(d);" : ""}` +
      `return t.function(0)(M,d,l1,h1,0,0,0,0,0,0,0,0);}t=0;l0=h0=-1;${clobber}`
    );
  }

  /** Wraps a call with the code that every call needs. */
  #around(call: string): string {
    return `M.steps=n;l0=${call};h0=M.high;n=M.steps;${clobber}`;
  }
}
