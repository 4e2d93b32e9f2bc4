/** Live registers at the start and end of each block. */
import {
  forEachDefinition,
  forEachTerminatorUse,
  forEachUse,
  successorsOf,
  type MachineBlock,
  type Register,
} from "./machine.ts";

export interface Liveness {
  /** Words of 32 registers for each block. */
  readonly words: number;
  readonly liveIn: Uint32Array;
  readonly liveOut: Uint32Array;
}

export function isLive(set: Uint32Array, words: number, block: number, register: Register): boolean {
  return (set[block * words + (register >> 5)]! & (1 << (register & 31))) !== 0;
}

/** Calls `visit` with each register in a block's set, in ascending order. */
export function forEachLive(set: Uint32Array, words: number, block: number, visit: (register: Register) => void): void {
  for (let w = 0; w < words; w++) {
    for (let bits = set[block * words + w]!; bits !== 0; bits &= bits - 1)
      visit(w * 32 + 31 - Math.clz32(bits & -bits));
  }
}

export function liveness(blocks: readonly MachineBlock[], registerCount: number): Liveness {
  const words = (registerCount + 31) >> 5;
  const used = new Uint32Array(blocks.length * words);
  const defined = new Uint32Array(blocks.length * words);
  blocks.forEach((block, b) => {
    const base = b * words;
    const use = (register: Register): void => {
      const word = base + (register >> 5);
      const bit = 1 << (register & 31);
      if ((defined[word]! & bit) === 0) used[word]! |= bit;
    };
    const define = (register: Register): void => {
      defined[base + (register >> 5)]! |= 1 << (register & 31);
    };
    for (const instruction of block.instructions) {
      forEachUse(instruction, use);
      forEachDefinition(instruction, define);
    }
    forEachTerminatorUse(block.terminator, use);
  });

  const predecessors: number[][] = blocks.map(() => []);
  blocks.forEach((block, b) => {
    for (const next of successorsOf(block.terminator)) predecessors[next]!.push(b);
  });
  const liveIn = used;
  const liveOut = new Uint32Array(blocks.length * words);
  const queued = new Uint8Array(blocks.length).fill(1);
  const work = blocks.map((_, b) => b);
  while (work.length > 0) {
    const b = work.pop()!;
    queued[b] = 0;
    const base = b * words;
    for (const next of successorsOf(blocks[b]!.terminator)) {
      for (let w = 0; w < words; w++) liveOut[base + w]! |= liveIn[next * words + w]!;
    }
    let changed = false;
    for (let w = 0; w < words; w++) {
      const before = liveIn[base + w]!;
      const after = (before | (liveOut[base + w]! & ~defined[base + w]!)) >>> 0;
      if (after !== before) {
        liveIn[base + w] = after;
        changed = true;
      }
    }
    if (changed) {
      for (const previous of predecessors[b]!) {
        if (queued[previous] === 0) {
          queued[previous] = 1;
          work.push(previous);
        }
      }
    }
  }
  return { words, liveIn, liveOut };
}
