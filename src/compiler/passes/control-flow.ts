/**
 * Simplifies branches: decides known ones, threads jumps to empty blocks, merges
 * chains of blocks, and replaces parameters that are always the same. Removes blocks
 * that become unreachable.
 */
import {
  forEachOperand,
  mapOperands,
  mapTerminator,
  targetsOf,
  terminatorOperands,
  valueCount,
  withoutUnreachable,
  replacedBy,
} from "../ir/analysis.ts";
import type { Block, IrFunction, Operation, Target, Terminator, Value } from "../ir/ir.ts";
import { evaluateComparison, widthOf } from "../ir/evaluate.ts";
import type { Pass } from "./pass.ts";

export const controlFlow: Pass = { name: "control flow", run: simplifyControlFlow };

export function simplifyControlFlow(fn: IrFunction): IrFunction {
  for (;;) {
    const before = fn;
    fn = threadJumps(fn);
    fn = removeSameParameters(fn);
    fn = mergeBlocks(fn);
    if (fn === before) return fn;
  }
}

const sameTarget = (a: Target, b: Target): boolean =>
  a.block === b.block && a.arguments.every(({ id }, i) => id === b.arguments[i]!.id);

/** A branch with two equal targets becomes a jump. */
function straightened(terminator: Terminator): Terminator {
  if (terminator.op !== "branch" || !sameTarget(terminator.then, terminator.else)) return terminator;
  return { op: "jump", target: terminator.then, ...(terminator.source !== undefined && { source: terminator.source }) };
}

/** Redirects jumps to an empty block to that block's target. */
function threadJumps(fn: IrFunction): IrFunction {
  const constants: (bigint | undefined)[] = [];
  const blocks: Block[] = [];
  /** By value id, its number of uses. */
  const uses = new Int32Array(valueCount(fn));
  const count = ({ id }: Value): void => {
    uses[id]!++;
  };
  for (const block of fn.blocks) {
    blocks[block.id] = block;
    for (const { result, operation } of block.instructions) {
      if (result !== undefined && operation.op === "constant")
        constants[result.id] = BigInt.asUintN(widthOf(result.type), operation.value);
      forEachOperand(operation, count);
    }
    terminatorOperands(block.terminator).forEach(count);
  }
  /** Whether jumps can skip the block: it is empty, and only its own terminator reads its parameters. */
  const passable = new Map<Block, boolean>();
  const isPassable = (block: Block): boolean => {
    if (block.instructions.length > 0 || block.terminator.op === "return") return false;
    if (block.parameters.length === 0) return true;
    let answer = passable.get(block);
    if (answer === undefined) {
      const own = new Map<number, number>(block.parameters.map(({ id }) => [id, 0]));
      for (const { id } of terminatorOperands(block.terminator)) if (own.has(id)) own.set(id, own.get(id)! + 1);
      answer = [...own].every(([id, count]) => uses[id] === count);
      passable.set(block, answer);
    }
    return answer;
  };
  const onward = (target: Target): Target => {
    // At most as many steps as blocks: an empty endless loop has no target.
    for (let step = 0; step < fn.blocks.length; step++) {
      const block = blocks[target.block]!;
      if (!isPassable(block)) return target;
      const given = new Map(block.parameters.map(({ id }, i) => [id, target.arguments[i]!]));
      const terminator = mapTerminator(block.terminator, (value) => given.get(value.id) ?? value);
      if (terminator.op === "jump") {
        target = terminator.target;
      } else if (terminator.op === "branch") {
        const left = constants[terminator.left.id];
        const right = constants[terminator.right.id];
        if (left === undefined || right === undefined) return target;
        target = evaluateComparison(terminator.comparison, left, right, widthOf(terminator.left.type))
          ? terminator.then
          : terminator.else;
      } else {
        return target;
      }
    }
    return target;
  };
  let changed = false;
  const threaded = fn.blocks.map((block) => {
    const { terminator } = block;
    let next = terminator;
    if (terminator.op === "jump") {
      const target = onward(terminator.target);
      if (target !== terminator.target) next = { ...terminator, target };
    } else if (terminator.op === "branch") {
      const then = onward(terminator.then);
      const otherwise = onward(terminator.else);
      if (then !== terminator.then || otherwise !== terminator.else) next = { ...terminator, then, else: otherwise };
    }
    next = straightened(next);
    if (next === terminator) return block;
    changed = true;
    return { ...block, terminator: next };
  });
  return changed ? withoutUnreachable({ ...fn, blocks: threaded }) : fn;
}

/** Replaces a parameter whose incoming values are all the same, itself aside, by that value. */
function removeSameParameters(fn: IrFunction): IrFunction {
  const replacements: (Value | undefined)[] = [];
  const replaced = replacedBy(replacements);
  const incoming = new Map<number, Target[]>();
  for (const block of fn.blocks) {
    for (const target of targetsOf(block.terminator)) {
      const list = incoming.get(target.block);
      if (list === undefined) incoming.set(target.block, [target]);
      else list.push(target);
    }
  }
  let any = false;
  for (let changed = true; changed; ) {
    changed = false;
    for (const { id, parameters } of fn.blocks) {
      parameters.forEach((parameter, i) => {
        if (replacements[parameter.id] !== undefined) return;
        let only: Value | undefined;
        for (const target of incoming.get(id) ?? []) {
          const value = replaced(target.arguments[i]!);
          if (value.id === parameter.id || value.id === only?.id) continue;
          if (only !== undefined) return;
          only = value;
        }
        if (only === undefined) return;
        replacements[parameter.id] = only;
        changed = true;
        any = true;
      });
    }
  }
  if (!any) return fn;
  const kept = new Map(
    fn.blocks.map(({ id, parameters }) => [
      id,
      parameters.map((parameter) => replacements[parameter.id] === undefined),
    ]),
  );
  const target = ({ block, arguments: values }: Target): Target => {
    const keep = kept.get(block)!;
    return { block, arguments: values.filter((_, i) => keep[i]) };
  };
  const blocks = fn.blocks.map((block): Block => {
    const t = mapTerminator(block.terminator, replaced);
    return {
      ...block,
      parameters: block.parameters.filter((parameter) => replacements[parameter.id] === undefined),
      instructions: block.instructions.map((instruction) => {
        const operation: Operation = mapOperands(instruction.operation, replaced);
        return operation === instruction.operation ? instruction : { ...instruction, operation };
      }),
      terminator:
        t.op === "jump"
          ? { ...t, target: target(t.target) }
          : t.op === "branch"
            ? { ...t, then: target(t.then), else: target(t.else) }
            : t,
    };
  });
  return { ...fn, blocks };
}

/** Merges a block with its only predecessor, if that jumps nowhere else. */
function mergeBlocks(fn: IrFunction): IrFunction {
  const entries = new Map<number, number>();
  const byId = new Map<number, Block>();
  for (const block of fn.blocks) {
    byId.set(block.id, block);
    for (const { block: to } of targetsOf(block.terminator)) entries.set(to, (entries.get(to) ?? 0) + 1);
  }
  const gone = new Set<number>();
  const replacements: (Value | undefined)[] = [];
  const replaced = replacedBy(replacements);
  const merged: Block[] = [];
  for (const first of fn.blocks) {
    if (gone.has(first.id)) continue;
    let block = first;
    for (;;) {
      const { terminator } = block;
      if (terminator.op !== "jump") break;
      const next = byId.get(terminator.target.block)!;
      if (entries.get(next.id) !== 1 || next.id === first.id) break;
      next.parameters.forEach(({ id }, i) => {
        replacements[id] = terminator.target.arguments[i]!;
      });
      gone.add(next.id);
      block = { ...block, instructions: [...block.instructions, ...next.instructions], terminator: next.terminator };
    }
    merged.push(block);
  }
  if (gone.size === 0) return fn;
  const blocks = merged.filter(({ id }) => !gone.has(id));
  if (replacements.length === 0) return { ...fn, blocks };
  return {
    ...fn,
    blocks: blocks.map((block) => ({
      ...block,
      instructions: block.instructions.map((instruction) => {
        const operation = mapOperands(instruction.operation, replaced);
        return operation === instruction.operation ? instruction : { ...instruction, operation };
      }),
      terminator: mapTerminator(block.terminator, replaced),
    })),
  };
}
