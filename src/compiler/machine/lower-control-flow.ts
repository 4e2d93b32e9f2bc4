/** Jumps, their conditions, and block arguments. */
import { isSignedComparison, swappedComparison } from "../ir/comparison.ts";
import type { Block, Comparison, Target, Value } from "../ir/ir.ts";
import type { MachineWriter } from "./machine-writer.ts";
import type { MachineTerminator, Register } from "./machine.ts";
import { inSequence, type Copy } from "./parallel-copies.ts";

export function compare(writer: MachineWriter, result: Value, comparison: Comparison, left: Value, right: Value): void {
  const dst = writer.register(result);
  const next = writer.newBlock();
  const otherwise = writer.newBlock();
  const head = branch(writer, comparison, left, right, next, otherwise);
  writer.loadConstant(dst, 1n);
  writer.end(head);
  writer.start(otherwise);
  writer.loadConstant(dst, 0n);
  writer.end({ op: "jump", target: next, source: writer.source });
  writer.start(next);
}

export function lowerTerminator(writer: MachineWriter, block: Block): void {
  const terminator = block.terminator;
  switch (terminator.op) {
    case "return":
      writer.into(0, terminator.value);
      writer.end({ op: "exit", source: writer.source });
      return;
    case "jump":
      copyArguments(writer, terminator.target);
      writer.end({ op: "jump", target: writer.flow.position[terminator.target.block]!, source: writer.source });
      return;
    case "branch": {
      const head = branch(writer, terminator.comparison, terminator.left, terminator.right, 0, 0);
      const from = writer.at;
      const then = edge(writer, terminator.then);
      const otherwise = edge(writer, terminator.else);
      writer.at = from;
      writer.end({ ...head, then, else: otherwise });
      return;
    }
  }
}

function branch(
  writer: MachineWriter,
  comparison: Comparison,
  left: Value,
  right: Value,
  then: number,
  otherwise: number,
): Extract<MachineTerminator, { op: "branch" }> {
  if (writer.constantOf(left) !== undefined && writer.constantOf(right) === undefined) {
    [left, right] = [right, left];
    comparison = swappedComparison[comparison];
  }
  const source = writer.source;
  const wide = left.type !== "i32" || writer.isa < 3;
  if (left.type === "i32" && wide && isSignedComparison(comparison)) {
    const shifted = writer.copy(left);
    writer.shift64("lsh", shifted, 32);
    const other = writer.copy(right);
    writer.shift64("lsh", other, 32);
    return { op: "branch", comparison, wide, left: shifted, right: other, immediate: 0, then, else: otherwise, source };
  }
  const immediate = writer.immediateOf(right, wide);
  return {
    op: "branch",
    comparison,
    wide,
    left: writer.read(left),
    right: immediate === undefined ? writer.read(right) : undefined,
    immediate: immediate ?? 0,
    then,
    else: otherwise,
    source,
  };
}

/** The target of a branch: the block itself, or a new one that first sets its parameters. */
function edge(writer: MachineWriter, target: Target): number {
  const to = writer.flow.position[target.block]!;
  if (target.arguments.length === 0) return to;
  const index = writer.newBlock();
  writer.start(index);
  copyArguments(writer, target);
  writer.end({ op: "jump", target: to, source: writer.source });
  return index;
}

/** Copies all of a block's arguments at once: no copy overwrites the source of another. */
function copyArguments(writer: MachineWriter, target: Target): void {
  const parameters = writer.flow.blocks[writer.flow.position[target.block]!]!.parameters;
  const pending: Copy[] = [];
  const anew: { dst: Register; value: Value }[] = [];
  parameters.forEach((parameter, i) => {
    const value = target.arguments[i]!;
    const dst = writer.register(parameter);
    if (writer.isMadeAnew(value)) anew.push({ dst, value });
    else if (writer.register(value) !== dst) pending.push({ dst, src: writer.register(value) });
  });
  for (const { dst, src } of inSequence(pending, () => writer.newRegister())) writer.move(dst, src);
  for (const { dst, value } of anew) writer.into(dst, value);
}
