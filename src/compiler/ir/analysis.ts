/** Control flow and values of a function, for passes. */
import type { Block, IrFunction, IrInstruction, Operation, Target, Terminator, Value } from "./ir.ts";

export function targetsOf(terminator: Terminator): readonly Target[] {
  switch (terminator.op) {
    case "jump":
      return [terminator.target];
    case "branch":
      return [terminator.then, terminator.else];
    case "return":
      return [];
  }
}

/** The values that an operation reads, in order. */
export function operandsOf(operation: Operation): readonly Value[] {
  switch (operation.op) {
    case "constant":
    case "stack":
    case "map":
    case "map-value":
    case "function":
      return [];
    case "binary":
    case "compare":
      return [operation.left, operation.right];
    case "negate":
    case "byteswap":
    case "extend":
    case "truncate":
      return [operation.operand];
    case "load":
      return [operation.address];
    case "store":
    case "atomic":
      return [operation.address, operation.value];
    case "compare-exchange":
      return [operation.address, operation.expected, operation.value];
    case "call":
    case "call-function":
    case "call-kernel":
    case "assembly":
      return operation.arguments;
  }
}

/** Calls `use` with each value that an operation reads, in order. */
export function forEachOperand(operation: Operation, use: (value: Value) => void): void {
  switch (operation.op) {
    case "constant":
    case "stack":
    case "map":
    case "map-value":
    case "function":
      return;
    case "binary":
    case "compare":
      use(operation.left);
      use(operation.right);
      return;
    case "negate":
    case "byteswap":
    case "extend":
    case "truncate":
      use(operation.operand);
      return;
    case "load":
      use(operation.address);
      return;
    case "store":
    case "atomic":
      use(operation.address);
      use(operation.value);
      return;
    case "compare-exchange":
      use(operation.address);
      use(operation.expected);
      use(operation.value);
      return;
    case "call":
    case "call-function":
    case "call-kernel":
    case "assembly":
      for (const value of operation.arguments) use(value);
  }
}

/** The values that a terminator reads, block arguments included. */
export function terminatorOperands(terminator: Terminator): readonly Value[] {
  switch (terminator.op) {
    case "jump":
      return terminator.target.arguments;
    case "branch":
      return [terminator.left, terminator.right, ...terminator.then.arguments, ...terminator.else.arguments];
    case "return":
      return [terminator.value];
  }
}

function mapAll(values: readonly Value[], change: (value: Value) => Value): readonly Value[] {
  for (let i = 0; i < values.length; i++) if (change(values[i]!) !== values[i]) return values.map(change);
  return values;
}

/** The operation with every operand replaced; the same object where nothing changed. */
export function mapOperands(operation: Operation, change: (value: Value) => Value): Operation {
  switch (operation.op) {
    case "constant":
    case "stack":
    case "map":
    case "map-value":
    case "function":
      return operation;
    case "binary":
    case "compare": {
      const left = change(operation.left);
      const right = change(operation.right);
      return left === operation.left && right === operation.right ? operation : { ...operation, left, right };
    }
    case "negate":
    case "byteswap":
    case "extend":
    case "truncate": {
      const operand = change(operation.operand);
      return operand === operation.operand ? operation : { ...operation, operand };
    }
    case "load": {
      const address = change(operation.address);
      return address === operation.address ? operation : { ...operation, address };
    }
    case "store":
    case "atomic": {
      const address = change(operation.address);
      const value = change(operation.value);
      return address === operation.address && value === operation.value ? operation : { ...operation, address, value };
    }
    case "compare-exchange":
      return {
        ...operation,
        address: change(operation.address),
        expected: change(operation.expected),
        value: change(operation.value),
      };
    case "call":
    case "call-function":
    case "call-kernel":
    case "assembly": {
      const changed = mapAll(operation.arguments, change);
      return changed === operation.arguments ? operation : { ...operation, arguments: changed };
    }
  }
}

function mapTarget(target: Target, change: (value: Value) => Value): Target {
  const changed = mapAll(target.arguments, change);
  return changed === target.arguments ? target : { block: target.block, arguments: changed };
}

/** The terminator with every value it reads replaced; the same object where nothing changed. */
export function mapTerminator(terminator: Terminator, change: (value: Value) => Value): Terminator {
  switch (terminator.op) {
    case "jump": {
      const target = mapTarget(terminator.target, change);
      return target === terminator.target ? terminator : { ...terminator, target };
    }
    case "branch": {
      const left = change(terminator.left);
      const right = change(terminator.right);
      const then = mapTarget(terminator.then, change);
      const otherwise = mapTarget(terminator.else, change);
      return left === terminator.left &&
        right === terminator.right &&
        then === terminator.then &&
        otherwise === terminator.else
        ? terminator
        : { ...terminator, left, right, then, else: otherwise };
    }
    case "return": {
      const value = change(terminator.value);
      return value === terminator.value ? terminator : { ...terminator, value };
    }
  }
}

/** One more than the highest value id: the size of a table indexed by values. */
export function valueCount(fn: IrFunction): number {
  let highest = -1;
  const see = (value: Value): void => {
    if (value.id > highest) highest = value.id;
  };
  fn.parameters.forEach(see);
  for (const block of fn.blocks) {
    block.parameters.forEach(see);
    for (const { result } of block.instructions) if (result !== undefined) see(result);
  }
  return highest + 1;
}

/** By value id, the instruction that defines it; undefined for parameters. */
export function definitionsOf(fn: IrFunction): readonly (IrInstruction | undefined)[] {
  const definitions: (IrInstruction | undefined)[] = new Array(valueCount(fn)).fill(undefined);
  for (const block of fn.blocks) {
    for (const instruction of block.instructions) {
      if (instruction.result !== undefined) definitions[instruction.result.id] = instruction;
    }
  }
  return definitions;
}

/** By value id, its number of uses. */
export function useCounts(fn: IrFunction): Int32Array {
  const counts = new Int32Array(valueCount(fn));
  const use = (value: Value): void => {
    counts[value.id]!++;
  };
  for (const block of fn.blocks) {
    for (const { operation } of block.instructions) forEachOperand(operation, use);
    terminatorOperands(block.terminator).forEach(use);
  }
  return counts;
}

/** Reachable blocks in reverse postorder: each after its predecessors, back edges aside. */
export function reversePostorder(fn: IrFunction): Block[] {
  const byId: Block[] = [];
  for (const block of fn.blocks) byId[block.id] = block;
  const blocks: Block[] = [];
  // Depth first, without recursion; blocks are listed in postorder.
  const seen = new Uint8Array(byId.length);
  const path: Block[] = [];
  /** By depth of the path, the number of targets visited. */
  const gone: number[] = [];
  const enter = (block: Block): void => {
    seen[block.id] = 1;
    path.push(block);
    gone.push(0);
  };
  enter(fn.blocks[0]!);
  while (path.length > 0) {
    const { terminator } = path[path.length - 1]!;
    const count = gone[gone.length - 1]!++;
    let next: number | undefined;
    if (terminator.op === "branch" && count < 2) next = count === 0 ? terminator.then.block : terminator.else.block;
    else if (terminator.op === "jump" && count < 1) next = terminator.target.block;
    if (next === undefined) {
      blocks.push(path.pop()!);
      gone.pop();
    } else if (seen[next] === 0) {
      enter(byId[next]!);
    }
  }
  return blocks.reverse();
}

/** A function's blocks by position, in reverse postorder, with their neighbours. */
export interface ControlFlow {
  readonly blocks: readonly Block[];
  /** Block id to position in `blocks`; -1 where unreachable. */
  readonly position: Int32Array;
  /** By position. A block that branches twice to the same target is listed twice. */
  readonly predecessors: readonly (readonly number[])[];
  readonly successors: readonly (readonly number[])[];
}

export function controlFlow(fn: IrFunction): ControlFlow {
  const blocks = reversePostorder(fn);
  const position = new Int32Array(fn.blocks.reduce((highest, { id }) => Math.max(highest, id), 0) + 1).fill(-1);
  blocks.forEach((block, i) => {
    position[block.id] = i;
  });
  const predecessors: number[][] = blocks.map(() => []);
  const successors: number[][] = blocks.map((block) =>
    targetsOf(block.terminator).map((target) => position[target.block]!),
  );
  successors.forEach((to, from) => {
    for (const next of to) predecessors[next]!.push(from);
  });
  return { blocks, position, predecessors, successors };
}

/**
 * By position, the immediate dominator; the entry's is itself. Cooper, Harvey and
 * Kennedy, "A Simple, Fast Dominance Algorithm".
 */
export function immediateDominators({ predecessors }: ControlFlow): Int32Array {
  const result = new Int32Array(predecessors.length).fill(-1);
  result[0] = 0;
  for (let changed = true; changed; ) {
    changed = false;
    for (let i = 1; i < predecessors.length; i++) {
      let closest = -1;
      for (let other of predecessors[i]!) {
        if (result[other] === -1) continue;
        if (closest === -1) {
          closest = other;
          continue;
        }
        while (closest !== other) {
          while (closest > other) closest = result[closest]!;
          while (other > closest) other = result[other]!;
        }
      }
      if (result[i] !== closest) {
        result[i] = closest;
        changed = true;
      }
    }
  }
  return result;
}

/** Whether `outer` dominates `inner` (positions). */
export function dominates(immediateDominator: Int32Array, outer: number, inner: number): boolean {
  let at = inner;
  while (at > outer) at = immediateDominator[at]!;
  return at === outer;
}

/** By position, the number of loops around the block. */
export function loopDepths(flow: ControlFlow): Int32Array {
  const { predecessors } = flow;
  const immediateDominator = immediateDominators(flow);
  const depth = new Int32Array(predecessors.length);
  for (let header = 0; header < predecessors.length; header++) {
    const latches = predecessors[header]!.filter(
      (from) => from >= header && dominates(immediateDominator, header, from),
    );
    if (latches.length === 0) continue;
    const inside = new Set<number>([header]);
    const work = [...latches];
    while (work.length > 0) {
      const block = work.pop()!;
      if (inside.has(block)) continue;
      inside.add(block);
      work.push(...predecessors[block]!);
    }
    for (const block of inside) depth[block]!++;
  }
  return depth;
}

/** Removes unreachable blocks. */
export function withoutUnreachable(fn: IrFunction): IrFunction {
  const blocks = reversePostorder(fn);
  return blocks.length === fn.blocks.length ? fn : { ...fn, blocks };
}

/**
 * Follows a table of replacements, indexed by value id, to its end; a value without a replacement stands for itself.
 * The table may grow while the function is in use.
 */
export function replacedBy(replacements: readonly (Value | undefined)[]): (value: Value) => Value {
  return (value) => {
    for (let next; (next = replacements[value.id]) !== undefined; ) value = next;
    return value;
  };
}
