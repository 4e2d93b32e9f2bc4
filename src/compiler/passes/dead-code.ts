/** Removes results of pure operations and parameters of blocks that nothing reads, and unreachable blocks. */
import { forEachOperand, reversePostorder, valueCount } from "../ir/analysis.ts";
import type { Block, IrFunction, IrInstruction, Operation, Target, Terminator, Value } from "../ir/ir.ts";
import type { Pass } from "./pass.ts";

export const deadCode: Pass = { name: "dead code", run: removeDeadCode };

export function removeDeadCode(fn: IrFunction): IrFunction {
  const blocks = reversePostorder(fn);
  const byId: Block[] = [];
  for (const block of blocks) byId[block.id] = block;
  const definitions: (IrInstruction | undefined)[] = [];
  /** By a block parameter's id, its incoming values. */
  const incoming: (Value[] | undefined)[] = [];
  for (const block of blocks) {
    for (const parameter of block.parameters) incoming[parameter.id] = [];
    for (const instruction of block.instructions)
      if (instruction.result !== undefined) definitions[instruction.result.id] = instruction;
  }
  const edge = ({ block, arguments: values }: Target): void => {
    byId[block]!.parameters.forEach((parameter, i) => incoming[parameter.id]!.push(values[i]!));
  };
  const wanted = new Uint8Array(valueCount(fn));
  const work: Value[] = [];
  const want = (value: Value): void => {
    if (wanted[value.id] === 1) return;
    wanted[value.id] = 1;
    work.push(value);
  };
  for (const { instructions, terminator } of blocks) {
    for (const { operation } of instructions) if (!isRemovable(operation)) forEachOperand(operation, want);
    if (terminator.op === "jump") edge(terminator.target);
    else if (terminator.op === "return") want(terminator.value);
    else {
      want(terminator.left);
      want(terminator.right);
      edge(terminator.then);
      edge(terminator.else);
    }
  }
  while (work.length > 0) {
    const { id } = work.pop()!;
    const definition = definitions[id];
    if (definition !== undefined && isRemovable(definition.operation)) forEachOperand(definition.operation, want);
    incoming[id]?.forEach(want);
  }

  const isKept = ({ result, operation }: IrInstruction): boolean =>
    result === undefined ? !isRemovable(operation) : wanted[result.id] === 1;
  if (
    blocks.length === fn.blocks.length &&
    blocks.every(
      ({ parameters, instructions }) => parameters.every(({ id }) => wanted[id] === 1) && instructions.every(isKept),
    )
  )
    return fn;

  const target = (to: Target): Target => {
    const { parameters } = byId[to.block]!;
    return parameters.every(({ id }) => wanted[id] === 1)
      ? to
      : { block: to.block, arguments: to.arguments.filter((_, i) => wanted[parameters[i]!.id] === 1) };
  };
  const terminator = (t: Terminator): Terminator => {
    if (t.op === "return") return t;
    if (t.op === "jump") return { ...t, target: target(t.target) };
    return { ...t, then: target(t.then), else: target(t.else) };
  };
  return {
    ...fn,
    blocks: blocks.map((block) => ({
      ...block,
      parameters: block.parameters.filter(({ id }) => wanted[id] === 1),
      instructions: block.instructions.flatMap((instruction) => {
        const { operation } = instruction;
        if (isKept(instruction)) return [instruction];
        if (isRemovable(operation)) return [];
        return [{ operation, ...(instruction.source !== undefined && { source: instruction.source }) }];
      }),
      terminator: terminator(block.terminator),
    })),
  };
}

/** Whether the operation may be removed when its result is unused. */
export function isRemovable(operation: Operation): boolean {
  switch (operation.op) {
    case "store":
    case "atomic":
    case "compare-exchange":
    case "call-function":
    case "call-kernel":
    case "assembly":
      return false;
    case "call":
      return operation.effects.pure === true || operation.effects.removable === true;
    default:
      return true;
  }
}
