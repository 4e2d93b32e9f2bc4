/** Checks that a function is well formed. Every pass relies on it and keeps it so. */
import { controlFlow, dominates, immediateDominators, operandsOf, targetsOf, terminatorOperands } from "./analysis.ts";
import type { Block, IrFunction, IrInstruction, Target, Value, ValueType } from "./ir.ts";
import { printFunction, printInstruction, printTerminator } from "./print.ts";

/** Throws an Error with the instruction, the problem and the whole function. `stage` names the stage before. */
export function validate(fn: IrFunction, stage: string): void {
  const fail = (where: string, problem: string): never => {
    throw new Error(`${fn.name}, ${stage}: ${problem}, in: ${where}\n${printFunction(fn)}`);
  };
  if (fn.parameters.length > 5) fail("parameters", "there are more than five");
  const byId = new Map<number, Block>();
  for (const block of fn.blocks) {
    if (byId.has(block.id)) fail(`b${block.id}`, "the block's number is given twice");
    byId.set(block.id, block);
  }
  for (const block of fn.blocks) {
    for (const target of targetsOf(block.terminator)) {
      const where = printTerminator(block.terminator);
      const to = byId.get(target.block);
      if (to === undefined) {
        fail(where, "there is no such block");
        continue;
      }
      if (to === fn.blocks[0]) fail(where, "a jump to the entry");
      checkArguments(to, target, (problem) => fail(where, problem));
    }
  }
  if (fn.blocks[0]!.parameters.length > 0) fail(`b${fn.blocks[0]!.id}`, "the entry has parameters");

  const flow = controlFlow(fn);
  if (flow.blocks.length !== fn.blocks.length) {
    const lost = fn.blocks.find((block) => !flow.blocks.includes(block))!;
    fail(`b${lost.id}`, "the block can't be reached");
  }
  // Where each value is defined: the block's position, and the instruction's index there.
  const places = new Map<number, { block: number; at: number; value: Value }>();
  const define = (value: Value, block: number, at: number): void => {
    if (places.has(value.id)) fail(`v${value.id}`, "the value is defined twice");
    places.set(value.id, { block, at, value });
  };
  fn.parameters.forEach((parameter) => define(parameter, 0, -1));
  flow.blocks.forEach((block, b) => {
    block.parameters.forEach((parameter) => define(parameter, b, -1));
    block.instructions.forEach(({ result }, i) => {
      if (result !== undefined) define(result, b, i);
    });
  });
  const dominators = immediateDominators(flow);
  flow.blocks.forEach((block, b) => {
    const use = (value: Value, at: number, where: () => string): void => {
      const place = places.get(value.id);
      if (place === undefined) {
        fail(where(), `v${value.id} is not defined`);
        return;
      }
      if (place.value.type !== value.type)
        fail(where(), `v${value.id} is ${place.value.type}, and used as ${value.type}`);
      const before = place.block === b ? place.at < at : dominates(dominators, place.block, b);
      if (!before) fail(where(), `v${value.id} is used where it may not have been set`);
    };
    block.instructions.forEach((instruction, i) => {
      const where = (): string => printInstruction(instruction);
      for (const value of operandsOf(instruction.operation)) use(value, i, where);
      checkTypes(instruction, (problem) => fail(where(), problem));
    });
    const where = (): string => printTerminator(block.terminator);
    for (const value of terminatorOperands(block.terminator)) use(value, block.instructions.length, where);
    const { terminator } = block;
    if (terminator.op === "branch" && terminator.left.type !== terminator.right.type)
      fail(where(), "the compared values' types differ");
  });
}

function checkArguments(to: Block, target: Target, fail: (problem: string) => void): void {
  if (to.parameters.length !== target.arguments.length) {
    fail(`b${to.id} takes ${to.parameters.length} values and is given ${target.arguments.length}`);
    return;
  }
  to.parameters.forEach(({ type, id }, i) => {
    const given = target.arguments[i]!;
    if (given.type !== type) fail(`v${id} is ${type}, and is given v${given.id}, which is ${given.type}`);
  });
}

function checkTypes({ operation, result }: IrInstruction, fail: (problem: string) => void): void {
  const is = (value: Value, ...types: ValueType[]): void => {
    if (!types.includes(value.type)) fail(`v${value.id} is ${value.type} instead of ${types.join(" or ")}`);
  };
  const gives = (...types: ValueType[]): void => {
    if (result !== undefined) is(result, ...types);
  };
  const access = (address: Value, offset: number): void => {
    is(address, "ptr");
    if (!Number.isInteger(offset) || offset < -32768 || offset > 32767)
      fail(`the offset ${offset} does not fit 16 bits`);
  };
  switch (operation.op) {
    case "constant":
      return;
    case "binary":
      if (result === undefined) return;
      if (operation.left.type === "ptr" && operation.right.type === "i64") {
        if (operation.operator !== "add" && operation.operator !== "sub")
          fail("pointers can only be added to and subtracted from");
        gives("ptr");
      } else if (operation.left.type === "ptr" && operation.right.type === "ptr") {
        if (operation.operator !== "sub") fail("of two pointers there is only the difference");
        gives("i64");
      } else {
        is(operation.left, result.type);
        is(operation.right, result.type);
        gives("i32", "i64");
      }
      return;
    case "compare":
      if (operation.left.type !== operation.right.type) fail("the compared values' types differ");
      gives("i32");
      return;
    case "negate":
      if (result !== undefined) is(operation.operand, result.type);
      gives("i32", "i64");
      return;
    case "byteswap":
      if (result !== undefined) is(operation.operand, result.type);
      if (operation.bits === 64) is(operation.operand, "i64");
      gives("i32", "i64");
      return;
    case "extend":
      is(operation.operand, "i32", "i64");
      gives("i32", "i64");
      return;
    case "truncate":
      is(operation.operand, "i64");
      gives("i32");
      return;
    case "load":
      access(operation.address, operation.offset);
      if (result !== undefined && operation.size === 8) gives("i64", "ptr");
      return;
    case "store":
      access(operation.address, operation.offset);
      if (operation.size === 8) is(operation.value, "i64", "ptr");
      else is(operation.value, "i32", "i64");
      return;
    case "atomic":
      access(operation.address, operation.offset);
      is(operation.value, operation.size === 8 ? "i64" : "i32");
      gives(operation.size === 8 ? "i64" : "i32");
      return;
    case "compare-exchange":
      access(operation.address, operation.offset);
      is(operation.value, operation.size === 8 ? "i64" : "i32");
      is(operation.expected, operation.size === 8 ? "i64" : "i32");
      gives(operation.size === 8 ? "i64" : "i32");
      return;
    case "stack":
    case "map":
    case "map-value":
    case "function":
      gives("ptr");
      return;
    case "call":
    case "call-function":
    case "call-kernel":
    case "assembly":
      if (operation.arguments.length > 5) fail("a call takes five arguments at most");
      return;
  }
}
