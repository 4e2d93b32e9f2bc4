import { opcodes as op } from "../../asm/index.ts";
import type { TranslatedProgram } from "./program.ts";

/** Instructions that run one after another, without a jump into them or out of them but at the end. */
export interface Block {
  readonly indexes: readonly number[];
}

/** The blocks that a function consists of, those reachable from `entry`; the entry's comes first. */
export function findBlocks(program: TranslatedProgram, entry: number): Block[] {
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
  /** Whether the next instruction may follow. */
  readonly falls: boolean;
  /** Whether a block ends here. */
  readonly ends: boolean;
  /** Where else it may go; -1 is out of the program. */
  readonly target?: number;
}

const straight: Flow = { falls: true, ends: false };

function flowOf(program: TranslatedProgram, index: number): Flow {
  const { opcode, offset, immediate } = program.instructions[index]!;
  switch (op.classOf(opcode)) {
    case op.BPF_JMP:
    case op.BPF_JMP32:
      break;
    case op.BPF_LD:
      // May end the program, so what follows must not have been counted yet.
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
      // Budget and steps are counted block by block: a callee sees what has run, not what is to come.
      return { falls: true, ends: true };
    default:
      return { falls: true, ends: true, target: program.target(index, offset) };
  }
}
