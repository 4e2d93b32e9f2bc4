/** Merges blocks that do the same with the same values and have the same targets. */
import { mapOperands, reversePostorder, withoutUnreachable } from "../ir/analysis.ts";
import type { Block, IrFunction, Operation, Target, Terminator, Value } from "../ir/ir.ts";
import { printInstruction, printTerminator } from "../ir/print.ts";
import type { Pass } from "./pass.ts";

export const equalBlocks: Pass = { name: "equal blocks", run: joinEqualBlocks };

export function joinEqualBlocks(fn: IrFunction): IrFunction {
  const blocks = reversePostorder(fn);
  /** By block id, the equal block that replaces it. */
  const instead = new Map<number, number>();
  const target = (to: Target): Target => {
    const block = instead.get(to.block);
    return block === undefined ? to : { ...to, block };
  };
  const redirected = (t: Terminator): Terminator => {
    if (t.op === "return") return t;
    if (t.op === "jump") {
      const to = target(t.target);
      return to === t.target ? t : { ...t, target: to };
    }
    const then = target(t.then);
    const otherwise = target(t.else);
    return then === t.then && otherwise === t.else ? t : { ...t, then, else: otherwise };
  };
  // Most blocks differ in outline: only the rest is compared in full.
  const outlines = blocks.map(outline);
  const alike = new Map<string, number>();
  for (const text of outlines) alike.set(text, (alike.get(text) ?? 0) + 1);
  const seen = new Map<string, number>();
  // Backwards: blocks become equal once their successors are. The entry stays.
  for (let i = blocks.length - 1; i > 0; i--) {
    if (alike.get(outlines[i]!) === 1) continue;
    const block = blocks[i]!;
    const key = describe(block, redirected(block.terminator));
    const known = seen.get(key);
    if (known === undefined) seen.set(key, block.id);
    else instead.set(block.id, known);
  }
  if (instead.size === 0) return fn;
  return withoutUnreachable({
    ...fn,
    blocks: fn.blocks.map((block) => ({ ...block, terminator: redirected(block.terminator) })),
  });
}

/** A key that equal blocks share, whatever their values. */
const outline = ({ parameters, instructions, terminator }: Block): string =>
  `${parameters.length} ${terminator.op} ${instructions.map(({ operation }) => operation.op).join(" ")}`;

/** The block's text, its own values numbered from its start. */
function describe(block: Block, terminator: Terminator): string {
  const own = new Map<number, Value>();
  const number = (value: Value): void => {
    own.set(value.id, { id: -1 - own.size, type: value.type });
  };
  const local = (value: Value): Value => own.get(value.id) ?? value;
  block.parameters.forEach(number);
  const lines = [block.parameters.map(({ type }) => type).join()];
  for (const { result, operation } of block.instructions) {
    if (result !== undefined) number(result);
    lines.push(
      printInstruction({
        ...(result !== undefined && { result: local(result) }),
        operation: mapOperands(operation, local),
      }),
      identity(operation),
    );
  }
  lines.push(printTerminator(mapLocal(terminator, local)));
  return lines.join("\n");
}

/** Details of an operation that its text leaves out. */
function identity(operation: Operation): string {
  switch (operation.op) {
    case "call":
      return String(operation.helper);
    case "assembly":
      return JSON.stringify(operation.items);
    default:
      return "";
  }
}

function mapLocal(t: Terminator, local: (value: Value) => Value): Terminator {
  const target = (to: Target): Target => ({ ...to, arguments: to.arguments.map(local) });
  switch (t.op) {
    case "return":
      return { ...t, value: local(t.value) };
    case "jump":
      return { ...t, target: target(t.target) };
    case "branch":
      return { ...t, left: local(t.left), right: local(t.right), then: target(t.then), else: target(t.else) };
  }
}
