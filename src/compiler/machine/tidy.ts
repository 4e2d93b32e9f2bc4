/**
 * After register allocation: jump threading, merging of chains of blocks, and tail
 * merging.
 */
import { evaluateComparison } from "../ir/evaluate.ts";
import {
  forEachDefinition,
  isCall,
  successorsOf,
  type MachineBlock,
  type MachineFunction,
  type MachineInstruction,
  type MachineTerminator,
  type Register,
} from "./machine.ts";
import { Opcode, Pseudo } from "./opcode.ts";

export function tidy(fn: MachineFunction): MachineFunction {
  const blocks = fn.blocks.map((block) => ({ ...block }));
  const keys = new InstructionKeys();
  for (let changed = true; changed; ) {
    threadJumps(blocks);
    mergeChains(blocks);
    changed = mergeTails(blocks, keys);
  }
  return { ...fn, blocks };
}

function retarget(terminator: MachineTerminator, to: (block: number) => number): MachineTerminator {
  if (terminator.op === "exit") return terminator;
  if (terminator.op === "jump") {
    const target = to(terminator.target);
    return target === terminator.target ? terminator : { ...terminator, target };
  }
  const then = to(terminator.then);
  const otherwise = to(terminator.else);
  if (then === otherwise) return { op: "jump", target: then, source: terminator.source };
  return then === terminator.then && otherwise === terminator.else
    ? terminator
    : { ...terminator, then, else: otherwise };
}

function threadJumps(blocks: MachineBlock[]): void {
  const onward = (block: number): number => {
    for (let step = 0; step < blocks.length; step++) {
      const { instructions, terminator } = blocks[block]!;
      if (instructions.length > 0 || terminator.op !== "jump" || terminator.target === block) break;
      block = terminator.target;
    }
    return block;
  };
  for (const block of blocks) {
    block.terminator = retarget(block.terminator, onward);
    decide(block, blocks);
    // An exit is as short as a jump to one.
    if (block.terminator.op === "jump") {
      const { instructions, terminator } = blocks[block.terminator.target]!;
      if (instructions.length === 0 && terminator.op === "exit") block.terminator = terminator;
    }
  }
}

/** Threads a jump to a block that only tests a constant which the jumping block has set: a loop's first test. */
function decide(block: MachineBlock, blocks: readonly MachineBlock[]): void {
  for (let step = 0; step < blocks.length && block.terminator.op === "jump"; step++) {
    const { instructions, terminator } = blocks[block.terminator.target]!;
    if (instructions.length > 0 || terminator.op !== "branch" || terminator.right !== undefined) return;
    const value = constantIn(block, terminator.left);
    if (value === undefined) return;
    const width = terminator.wide ? 64 : 32;
    const unsigned = (n: bigint): bigint => BigInt.asUintN(width, n);
    const holds = evaluateComparison(
      terminator.comparison,
      unsigned(value),
      unsigned(BigInt(terminator.immediate)),
      width,
    );
    block.terminator = {
      op: "jump",
      target: holds ? terminator.then : terminator.else,
      source: block.terminator.source,
    };
  }
}

/** The constant that a register holds at the block's end, if set in the block. */
function constantIn({ instructions }: MachineBlock, register: Register): bigint | undefined {
  for (let i = instructions.length - 1; i >= 0; i--) {
    const instruction = instructions[i]!;
    let written = false;
    forEachDefinition(instruction, (defined) => {
      if (defined === register) written = true;
    });
    if (!written) continue;
    return instruction.opcode === Opcode.MOVE64_IMMEDIATE ? BigInt(instruction.immediate) : undefined;
  }
  return undefined;
}

/** By block, the number of jumps to it from reachable blocks. */
function entries(blocks: readonly MachineBlock[]): Int32Array {
  const count = new Int32Array(blocks.length);
  const seen = new Uint8Array(blocks.length);
  const work = [0];
  seen[0] = 1;
  count[0] = 1;
  while (work.length > 0) {
    for (const next of successorsOf(blocks[work.pop()!]!.terminator)) {
      count[next]!++;
      if (seen[next] === 1) continue;
      seen[next] = 1;
      work.push(next);
    }
  }
  return count;
}

function mergeChains(blocks: MachineBlock[]): void {
  const count = entries(blocks);
  blocks.forEach((block, b) => {
    if (count[b] === 0) return;
    for (;;) {
      const { terminator } = block;
      if (terminator.op !== "jump" || terminator.target === b || count[terminator.target] !== 1) return;
      const next = blocks[terminator.target]!;
      block.instructions = [...block.instructions, ...next.instructions];
      block.terminator = next.terminator;
      count[terminator.target] = 0;
    }
  });
}

/** Numbers instructions: equal instructions get the same number. */
class InstructionKeys {
  private readonly numbers = new Map<string, number>();
  private readonly known = new WeakMap<MachineInstruction, number>();

  of(i: MachineInstruction): number {
    let number = this.known.get(i);
    if (number !== undefined) return number;
    const { opcode, dst, src, offset, immediate, immediateHigh, reference, slot, space, argumentCount, items } = i;
    const key =
      `${opcode} ${dst} ${src} ${offset} ${immediate} ${immediateHigh} ${slot} ${space} ${argumentCount}` +
      (reference === undefined ? "" : JSON.stringify(reference)) +
      (items === undefined ? "" : JSON.stringify(items));
    number = this.numbers.get(key);
    if (number === undefined) this.numbers.set(key, (number = this.numbers.size));
    this.known.set(i, number);
    return number;
  }
}

const terminatorKey = (t: MachineTerminator): string =>
  t.op === "exit"
    ? "exit"
    : t.op === "jump"
      ? `jump ${t.target}`
      : `${t.comparison} ${t.wide} ${t.left} ${t.right} ${t.immediate} ${t.then} ${t.else}`;

/** Merges the longest equal ends of two blocks, until no merge saves anything. */
function mergeTails(blocks: MachineBlock[], keys: InstructionKeys): boolean {
  const count = entries(blocks);
  const groups = new Map<string, number[]>();
  blocks.forEach(({ instructions, terminator }, b) => {
    if (count[b] === 0) return;
    const last = instructions[instructions.length - 1];
    if (last === undefined) return;
    const key = `${terminatorKey(terminator)} ${keys.of(last)}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [b]);
    else group.push(b);
  });
  let changed = false;
  for (const group of groups.values()) {
    while (group.length > 1) {
      let best: { length: number; first: number; second: number } | undefined;
      for (let i = 0; i < group.length; i++) {
        for (let j = i + 1; j < group.length; j++) {
          const length = commonEnd(blocks[group[i]!]!.instructions, blocks[group[j]!]!.instructions, keys);
          if (length > (best?.length ?? 0)) best = { length, first: i, second: j };
        }
      }
      if (best === undefined) break;
      changed = true;
      const joined = joinEnds(blocks, group[best.first]!, group[best.second]!, best.length);
      group.splice(best.second, 1);
      group.splice(best.first, 1);
      group.push(joined);
    }
  }
  return changed;
}

function commonEnd(a: readonly MachineInstruction[], b: readonly MachineInstruction[], keys: InstructionKeys): number {
  let length = 0;
  while (
    length < a.length &&
    length < b.length &&
    keys.of(a[a.length - 1 - length]!) === keys.of(b[b.length - 1 - length]!)
  )
    length++;
  while (length > 0 && !(isIndependent(a, length) && isIndependent(b, length))) length--;
  return length;
}

/**
 * Whether the last `length` instructions may be shared. A call must keep its map
 * load with it: the kernel inlines a lookup only where it knows the one map.
 */
function isIndependent(instructions: readonly MachineInstruction[], length: number): boolean {
  const start = instructions.length - length;
  let mapInFirst = false;
  for (let i = 0; i < instructions.length; i++) {
    const instruction = instructions[i]!;
    if (isCall(instruction)) {
      if (i >= start && mapInFirst) return false;
      mapInFirst = false;
    } else if (instruction.opcode === Opcode.LDDW && instruction.src === Pseudo.MAP) {
      if (instruction.dst >= 1 && instruction.dst <= 5 && i < start) mapInFirst = true;
    }
  }
  return true;
}

/** Moves the common end of two blocks into a block of its own, unless it is all of one of them. Returns that block. */
function joinEnds(blocks: MachineBlock[], first: number, second: number, length: number): number {
  const a = blocks[first]!;
  const b = blocks[second]!;
  const jump = (target: number, t: MachineTerminator): MachineTerminator => ({ op: "jump", target, source: t.source });
  const cut = (block: MachineBlock, target: number): void => {
    block.instructions = block.instructions.slice(0, block.instructions.length - length);
    block.terminator = jump(target, block.terminator);
  };
  if (a.instructions.length === length && first !== 0) {
    cut(b, first);
    return first;
  }
  if (b.instructions.length === length && second !== 0) {
    cut(a, second);
    return second;
  }
  const joined =
    blocks.push({
      instructions: a.instructions.slice(a.instructions.length - length),
      terminator: a.terminator,
      depth: Math.min(a.depth, b.depth),
    }) - 1;
  cut(a, joined);
  cut(b, joined);
  return joined;
}
