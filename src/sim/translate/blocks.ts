import { opcodes as op } from "../../asm/index.ts";
import type { ProgramCode } from "./code.ts";

/** A basic block: jumps enter only at its first instruction and leave only at its last. */
export interface Block {
  readonly indexes: readonly number[];
}

/** The basic blocks of a function that are reachable from `entry`, which comes first. */
export function findBlocks(program: ProgramCode, entry: number): Block[] {
  const starts = new Set<number>([entry]);
  const reached = new Set<number>();
  const open = [entry];
  while (open.length > 0) {
    let index = open.pop()!;
    while (index >= 0 && index < program.instructions.length && !reached.has(index)) {
      reached.add(index);
      const flow = flowOf(program, index);
      if (flow.target !== undefined) {
        starts.add(flow.target);
        open.push(flow.target);
      }
      if (!flow.falls) break;
      if (flow.ends) starts.add(index + 1);
      index++;
    }
  }
  const blocks: number[][] = [];
  let current: number[] = [];
  let previous = -1;
  for (const index of [...reached].sort((a, b) => a - b)) {
    if (starts.has(index) || index !== previous + 1) blocks.push((current = []));
    current.push(index);
    previous = index;
  }
  const first = blocks.filter(([index]) => index === entry);
  return [...first, ...blocks.filter(([index]) => index !== entry)].map((indexes) => ({ indexes }));
}

interface Flow {
  /** Whether control may continue at the next instruction. */
  readonly falls: boolean;
  /** Whether a block ends here. */
  readonly ends: boolean;
  /** A jump's target; -1 if it is outside the program. */
  readonly target?: number;
}

const straight: Flow = { falls: true, ends: false };

function flowOf(program: ProgramCode, index: number): Flow {
  const { opcode, offset, immediate } = program.instructions[index]!;
  switch (op.classOf(opcode)) {
    case op.BPF_JMP:
    case op.BPF_JMP32:
      break;
    case op.BPF_LD:
      // A packet load may end the program, so later instructions must not be counted yet.
      return opcode === op.LDDW ? straight : { falls: true, ends: true };
    default:
      return straight;
  }
  switch (opcode) {
    case op.EXIT:
    case op.GOTOX:
      return { falls: false, ends: true };
    case op.GOTO:
      return { falls: false, ends: true, target: program.target(index, offset) };
    case op.GOTOL:
      return { falls: false, ends: true, target: program.target(index, immediate) };
    case op.CALL:
    case op.CALLX:
      // Steps are counted per block. A call ends the block, so the callee sees only the steps that ran.
      return { falls: true, ends: true };
    default:
      return { falls: true, ends: true, target: program.target(index, offset) };
  }
}
