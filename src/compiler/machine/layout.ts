/** Orders blocks for few jumps, and writes their instructions. */
import { type Instruction, isLabel, type Item, type Label, makeInstruction } from "../../asm/index.ts";
import { invertedComparison, swappedComparison } from "../ir/comparison.ts";
import type { Comparison } from "../ir/ir.ts";
import type { Frame } from "./frame.ts";
import type { InstructionSet } from "../instruction-set.ts";
import {
  successorsOf,
  type MachineBlock,
  type MachineBranch,
  type MachineFunction,
  type MachineInstruction,
} from "./machine.ts";
import { InstructionClass, jumpCode, Opcode, REGISTER_SOURCE } from "./opcode.ts";

/** Block numbers in order of layout: reverse postorder, each block followed by its likelier successor. */
export function blockOrder(blocks: readonly MachineBlock[]): readonly number[] {
  const order: number[] = [];
  const seen = new Uint8Array(blocks.length);
  const stack: { block: number; successors: readonly number[]; next: number }[] = [];
  const enter = (block: number): void => {
    seen[block] = 1;
    // The successor visited first is laid out last.
    stack.push({
      block,
      successors: [...successorsOf(blocks[block]!.terminator)].sort((a, b) => length(blocks, a) - length(blocks, b)),
      next: 0,
    });
  };
  enter(0);
  while (stack.length > 0) {
    const top = stack[stack.length - 1]!;
    if (top.next < top.successors.length) {
      const next = top.successors[top.next++]!;
      if (seen[next] === 0) enter(next);
    } else {
      stack.pop();
      order.push(top.block);
    }
  }
  return order.reverse();
}

/** 0 for a block that ends the function at once: seldom the likely branch. */
function length(blocks: readonly MachineBlock[], block: number): number {
  const { terminator, instructions } = blocks[block]!;
  if (terminator.op === "exit") return instructions.length <= 1 ? 0 : 1;
  return 2;
}

/** The function's instructions, jumps as references to labels; the first label is its own name. */
export function emit(fn: MachineFunction, frame: Frame, isa: InstructionSet): Item[] {
  const items: Item[] = [];
  const order = blockOrder(fn.blocks);
  const label = (block: number): string => `${fn.name}.${block}`;
  const targets = new Set<number>();
  const jump = (block: number, source: Instruction["source"]): Instruction => {
    targets.add(block);
    return makeInstruction(Opcode.JUMP, 0, 0, 0, 0, undefined, { kind: "label", name: label(block) }, source);
  };
  const conditional = (branch: MachineBranch, comparison: Comparison, block: number): Instruction => {
    targets.add(block);
    let { left, right } = branch;
    if (isa === 1 && right !== undefined && !existsIn1(comparison)) {
      [left, right] = [right, left];
      comparison = swappedComparison[comparison];
    }
    const kind = branch.wide ? InstructionClass.JMP : InstructionClass.JMP32;
    const opcode = jumpCode(comparison) | kind | (right === undefined ? 0 : REGISTER_SOURCE);
    return makeInstruction(
      opcode,
      left,
      right ?? 0,
      0,
      branch.immediate,
      undefined,
      { kind: "label", name: label(block) },
      branch.source,
    );
  };
  /**
   * A jump to a block elsewhere. A block that only ends the function is copied instead: as short as a jump, and in the
   * same cache line.
   */
  const leaving = (block: number, source: Instruction["source"]): Instruction[] => {
    const { instructions, terminator } = fn.blocks[block]!;
    if (terminator.op !== "exit" || instructions.length > 1) return [jump(block, source)];
    return [
      ...instructions.map((i) => finished(i, frame)),
      makeInstruction(Opcode.EXIT, 0, 0, 0, 0, undefined, undefined, terminator.source),
    ];
  };
  let assemblies = 0;
  order.forEach((block, at) => {
    const next = order[at + 1];
    items.push({ label: at === 0 ? fn.name : label(block) });
    const { instructions, terminator } = fn.blocks[block]!;
    for (const i of instructions) {
      if (i.items !== undefined) items.push(...renamed(i.items, `${fn.name}.assembly${assemblies++}.`));
      else items.push(finished(i, frame));
    }
    switch (terminator.op) {
      case "exit":
        items.push(makeInstruction(Opcode.EXIT, 0, 0, 0, 0, undefined, undefined, terminator.source));
        return;
      case "jump":
        if (terminator.target !== next) items.push(jump(terminator.target, terminator.source));
        return;
      case "branch": {
        const { comparison, then, else: otherwise } = terminator;
        const inverse = comparison === "set" ? undefined : invertedComparison[comparison];
        const canSay = (c: Comparison | undefined): c is Comparison =>
          c !== undefined && (isa > 1 || terminator.right !== undefined || existsIn1(c));
        if (then === otherwise) {
          if (then !== next) items.push(jump(then, terminator.source));
        } else if (otherwise === next && canSay(comparison)) {
          items.push(conditional(terminator, comparison, then));
        } else if (then === next && canSay(inverse)) {
          items.push(conditional(terminator, inverse, otherwise));
        } else if (canSay(comparison)) {
          items.push(conditional(terminator, comparison, then));
          if (otherwise !== next) items.push(...leaving(otherwise, terminator.source));
        } else {
          items.push(conditional(terminator, inverse!, otherwise));
          if (then !== next) items.push(...leaving(then, terminator.source));
        }
      }
    }
  });
  const wanted = new Set<string>([fn.name]);
  for (const target of targets) wanted.add(label(target));
  return items.filter(
    (item) => !isLabel(item) || wanted.has(item.label) || item.label.startsWith(`${fn.name}.assembly`),
  );
}

const existsIn1 = (comparison: Comparison): boolean =>
  comparison !== "lt" && comparison !== "le" && comparison !== "slt" && comparison !== "sle";

function finished(i: MachineInstruction, frame: Frame): Instruction {
  const place = i.slot === undefined ? 0 : frame.offsets[i.slot]!;
  const isAddition = (i.opcode & 7) === InstructionClass.ALU64;
  return makeInstruction(
    i.opcode,
    i.dst,
    i.src,
    isAddition ? i.offset : i.offset + place,
    isAddition ? i.immediate + place : i.immediate,
    i.immediateHigh,
    i.reference,
    i.source,
  );
}

/** Labels of raw assembly are local: the same piece may occur in a program twice. */
function renamed(items: readonly Item[], prefix: string): Item[] {
  const own = new Set(items.filter(isLabel).map((item: Label) => item.label));
  return items.map((item) => {
    if (isLabel(item)) return { label: prefix + item.label };
    const { reference } = item;
    return reference?.kind === "label" && own.has(reference.name)
      ? { ...item, reference: { kind: "label", name: prefix + reference.name } }
      : item;
  });
}
