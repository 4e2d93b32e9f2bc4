/**
 * Walks the dominator tree, simplifies every operation, and replaces it by the
 * result of an equal operation that dominates it: constant propagation, copy
 * propagation and common subexpressions in one pass. Constants and addresses of
 * slots and maps cost nothing until used; they gather in the entry. Loads stay:
 * load-forwarding.ts.
 */
import {
  controlFlow,
  immediateDominators,
  mapOperands,
  mapTerminator,
  valueCount,
  withoutUnreachable,
  replacedBy,
} from "../ir/analysis.ts";
import { invertedComparison, swappedComparison } from "../ir/comparison.ts";
import type {
  BinaryOperator,
  Block,
  Comparison,
  IrFunction,
  IrInstruction,
  Operation,
  Terminator,
  Value,
  ValueType,
} from "../ir/ir.ts";
import { SignificantBits } from "../ir/significant-bits.ts";
import { widthOf } from "../ir/evaluate.ts";
import { commutativeOperators, constantOf, simplify, simplifyComparison, type SimplifyContext } from "./simplify.ts";
import type { Pass } from "./pass.ts";

export const valueNumbering: Pass = { name: "value numbering", run: numberValues };

export function numberValues(fn: IrFunction): IrFunction {
  return new Numbering(fn).run();
}

/** More steps on one operation would be a cycle of rules. */
const MAX_STEPS = 32;

class Numbering implements SimplifyContext {
  readonly bits: SignificantBits;
  private readonly fn: IrFunction;
  private nextId: number;
  /** By value id, the operation as rewritten so far. */
  private readonly operations: (Operation | undefined)[] = [];
  private readonly replacements: (Value | undefined)[] = [];
  /** Results of the operations that dominate this point. */
  private readonly available = new Map<Key, Value>();
  /** Comparisons that dominating branches decide. */
  private readonly decided = new Map<Key, boolean>();
  private readonly anew: IrInstruction[] = [];
  private out: IrInstruction[] = [];
  private source: IrInstruction["source"];

  constructor(fn: IrFunction) {
    this.fn = fn;
    this.nextId = valueCount(fn);
    for (const { instructions } of fn.blocks) {
      for (const { result, operation } of instructions)
        if (result !== undefined) this.operations[result.id] = operation;
    }
    this.bits = new SignificantBits(fn, this);
  }

  operation(value: Value): Operation | undefined {
    return this.operations[value.id];
  }

  run(): IrFunction {
    const flow = controlFlow(this.fn);
    const dominated: number[][] = flow.blocks.map(() => []);
    immediateDominators(flow).forEach((dominator, position) => {
      if (position > 0) dominated[dominator]!.push(position);
    });
    const done: Block[] = new Array(flow.blocks.length);
    type Step = { block: number } | { forget: readonly Key[]; undecide: readonly Key[] };
    const steps: Step[] = [{ block: 0 }];
    while (steps.length > 0) {
      const step = steps.pop()!;
      if ("forget" in step) {
        for (const key of step.forget) this.available.delete(key);
        for (const key of step.undecide) this.decided.delete(key);
        continue;
      }
      const block = flow.blocks[step.block]!;
      this.added = [];
      this.learned = [];
      const [only, ...others] = flow.predecessors[step.block]!;
      if (only !== undefined && others.length === 0) this.learn(done[only]!.terminator, block.id);
      done[step.block] = this.rewriteBlock(block);
      steps.push({ forget: this.added, undecide: this.learned });
      for (const child of dominated[step.block]!) steps.push({ block: child });
    }
    const entry = done[0]!;
    done[0] = { ...entry, instructions: [...this.anew, ...entry.instructions] };
    if (done.length === this.fn.blocks.length && done.every((block, i) => isSameBlock(block, flow.blocks[i]!)))
      return this.fn;
    return withoutUnreachable({ ...this.fn, blocks: done });
  }

  private added: Key[] = [];
  private learned: Key[] = [];

  private readonly replaced = replacedBy(this.replacements);

  private rewriteBlock(block: Block): Block {
    this.out = [];
    const change = this.replaced;
    for (const instruction of block.instructions) {
      this.source = instruction.source;
      const operation = mapOperands(instruction.operation, change);
      if (instruction.result === undefined || !isPureOperation(operation)) {
        if (instruction.result !== undefined) this.operations[instruction.result.id] = operation;
        this.out.push(operation === instruction.operation ? instruction : { ...instruction, operation });
        continue;
      }
      const value = this.numbered(operation, instruction.result.type, instruction);
      if (value !== instruction.result) this.replacements[instruction.result.id] = value;
    }
    this.source = block.terminator.source;
    return { ...block, instructions: this.out, terminator: this.terminator(mapTerminator(block.terminator, change)) };
  }

  make(operation: Operation, type: ValueType): Value {
    return this.numbered(operation, type);
  }

  /** A value that holds the operation's result: an existing one, the result of the instruction `as`, or a new one. */
  private numbered(operation: Operation, type: ValueType, as?: IrInstruction): Value {
    for (let step = 0; step < MAX_STEPS; step++) {
      const better = simplify(operation, type, this);
      if (better === undefined) break;
      if ("value" in better && !("op" in better)) return better.value;
      operation = better as Operation;
    }
    const decided =
      operation.op === "compare"
        ? this.decided.get(conditionKey(operation.comparison, operation.left, operation.right))
        : undefined;
    if (decided !== undefined) operation = { op: "constant", value: decided ? 1n : 0n };
    const isAnew = isMadeAnew(operation);
    const key = operationKey(operation, type);
    const known = this.available.get(key);
    if (known !== undefined) return known;
    const result = as?.result ?? { id: this.nextId++, type };
    this.operations[result.id] = operation;
    this.available.set(key, result);
    const same = as?.operation === operation;
    if (isAnew) {
      // They are shared by content; the line of the first use is dropped.
      this.anew.push(same && as.source === undefined ? as : { result, operation });
    } else {
      this.added.push(key);
      this.out.push(same ? as : { result, operation, ...(this.source !== undefined && { source: this.source }) });
    }
    return result;
  }

  private terminator(terminator: Terminator): Terminator {
    if (terminator.op !== "branch") return terminator;
    const source = terminator.source === undefined ? {} : { source: terminator.source };
    let { comparison, left, right, then, else: otherwise } = terminator;
    for (let step = 0; step < MAX_STEPS; step++) {
      const better = simplifyComparison(comparison, left, right, this);
      if (better === undefined) break;
      if (typeof better === "boolean") return { op: "jump", target: better ? then : otherwise, ...source };
      ({ comparison, left, right } = better);
      if (better.inverted) [then, otherwise] = [otherwise, then];
    }
    const decided = this.decided.get(conditionKey(comparison, left, right));
    if (decided !== undefined) return { op: "jump", target: decided ? then : otherwise, ...source };
    if (
      comparison === terminator.comparison &&
      left === terminator.left &&
      right === terminator.right &&
      then === terminator.then
    )
      return terminator;
    return { op: "branch", comparison, left, right, then, else: otherwise, ...source };
  }

  /** Facts that hold in a block reached only by one side of a branch. */
  private learn(terminator: Terminator, block: number): void {
    if (terminator.op !== "branch" || terminator.then.block === terminator.else.block) return;
    const { comparison, left, right } = terminator;
    const holds = terminator.then.block === block;
    const decide = (comparison: Comparison, answer: boolean): void => {
      for (const key of [
        conditionKey(comparison, left, right),
        conditionKey(swappedComparison[comparison], right, left),
      ]) {
        if (this.decided.has(key)) continue;
        this.decided.set(key, answer);
        this.learned.push(key);
      }
    };
    decide(comparison, holds);
    if (comparison !== "set") decide(invertedComparison[comparison], !holds);
    const constant = constantOf(this, right);
    if (constant === undefined) return;
    // A value equal to one constant differs from every other.
    if ((comparison === "eq") === holds && (comparison === "eq" || comparison === "ne")) {
      this.decideEqual(left, constant);
    }
  }

  /** A value that equals a constant here: this decides comparisons with other constants too. */
  private decideEqual(value: Value, constant: bigint): void {
    for (const { result, operation } of this.anew) {
      if (result === undefined || operation.op !== "constant" || result.type !== value.type) continue;
      const equal = BigInt.asUintN(widthOf(value.type), operation.value) === constant;
      for (const [comparison, answer] of [
        ["eq", equal],
        ["ne", !equal],
      ] as const) {
        const key = conditionKey(comparison, value, result);
        if (this.decided.has(key)) continue;
        this.decided.set(key, answer);
        this.learned.push(key);
      }
    }
  }
}

const isSameBlock = (a: Block, b: Block): boolean =>
  a.terminator === b.terminator &&
  a.instructions.length === b.instructions.length &&
  a.instructions.every((instruction, i) => instruction === b.instructions[i]);

/** Costs nothing until used, and is made again at each use. */
export function isMadeAnew({ op }: Operation): boolean {
  return op === "constant" || op === "stack" || op === "map" || op === "map-value" || op === "function";
}

/** Equal operands give an equal result, whatever happens in between. */
function isPureOperation(o: Operation): boolean {
  switch (o.op) {
    case "binary":
    case "negate":
    case "byteswap":
    case "extend":
    case "truncate":
    case "compare":
      return true;
    case "call":
      return o.effects.pure === true;
    default:
      return isMadeAnew(o);
  }
}

/** A key that equal operations share: a number, which is fast to make and find, where one is enough. */
type Key = number | string;

/** More values than a program can have; a code below 128 and two values fit a safe integer. */
const VALUES = 2 ** 22;

const keyOf = (code: number, first: number, second = 0): number => (code * VALUES + first) * VALUES + second;

/** Codes 0 to 10. */
const comparisonCodes: Record<Comparison, number> = {
  eq: 0,
  ne: 1,
  lt: 2,
  le: 3,
  gt: 4,
  ge: 5,
  slt: 6,
  sle: 7,
  sgt: 8,
  sge: 9,
  set: 10,
};

/** From 16, 32 and 48 on, by the result's type. */
const operatorCodes: Record<BinaryOperator, number> = {
  add: 0,
  sub: 1,
  mul: 2,
  div: 3,
  mod: 4,
  sdiv: 5,
  smod: 6,
  and: 7,
  or: 8,
  xor: 9,
  lsh: 10,
  rsh: 11,
  arsh: 12,
};

const typeCodes: Record<ValueType, number> = { i32: 0, i64: 1, ptr: 2 };

const conditionKey = (comparison: Comparison, left: Value, right: Value): Key =>
  keyOf(comparisonCodes[comparison], left.id, right.id);

function operationKey(o: Operation, type: ValueType): Key {
  const typeCode = typeCodes[type];
  switch (o.op) {
    case "constant": {
      const value = BigInt.asUintN(widthOf(type), o.value);
      return value < VALUES ? keyOf(64 + typeCode, Number(value)) : `${type} ${value}`;
    }
    case "stack":
      return keyOf(67, o.slot.id);
    case "map":
      return `map ${o.map.name}`;
    case "map-value":
      return `map-value ${o.map.name} ${o.offset}`;
    case "function":
      return `function ${o.name}`;
    case "binary": {
      const swap = commutativeOperators.has(o.operator) && o.left.id > o.right.id && o.left.type !== "ptr";
      const code = 16 * (1 + typeCode) + operatorCodes[o.operator];
      return swap ? keyOf(code, o.right.id, o.left.id) : keyOf(code, o.left.id, o.right.id);
    }
    case "negate":
      return keyOf(68 + typeCode, o.operand.id);
    case "truncate":
      return keyOf(71, o.operand.id);
    case "byteswap":
      return keyOf(72 + typeCode, o.operand.id, o.bits);
    case "extend":
      return keyOf((o.signed ? 80 : 84) + typeCode, o.operand.id, o.bits);
    case "compare":
      return conditionKey(o.comparison, o.left, o.right);
    case "call":
      return `${type} call ${o.helper} ${o.arguments.map(({ id }) => id).join(" ")}`;
    default:
      throw new Error(`${o.op} is not pure`);
  }
}
